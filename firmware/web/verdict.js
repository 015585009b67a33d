// Verdicts, probabilities and quality figures.

import { count, el, percent, rounded } from "./dom.js";

/// What verdicts of a demo model mean.
export const DEMO = "trained on drawn cells and few or no real ones; its verdicts mean nothing for patients";

/// Marks, so that verdicts can be told apart without colours.
const MARKS = { Positive: "▲", Negative: "▼", Inconclusive: "◆" };

/// A verdict as a badge.
export function badge(verdict) {
  const known = verdict in MARKS;
  return el(
    "span",
    { class: `badge ${known ? verdict.toLowerCase() : ""}` },
    el("span", { "aria-hidden": "true" }, known ? `${MARKS[verdict]} ` : ""),
    verdict,
  );
}

/// The result of a field, an answer or a slide in figures: a count or a probability; empty without either.
export function result({ count, probability }) {
  if (count) return count.words;
  return probability === null ? "" : `p(ALL) ${percent(probability)}`;
}

/// The number of a field within its slide; a field that was not recorded has none.
export const fieldNumber = ({ saved, slide }) => (saved === false ? "–" : String(slide.fields + slide.refused));

/// The number of fields of a slide, by kind.
export const tally = ({ fields, refused, unsaved, count: cells }) =>
  [`${count(fields, "field")} ${cells ? "counted" : "classified"}`, `${refused} ${cells ? "not counted" : "refused"}`, unsaved > 0 && `${unsaved} NOT SAVED`].filter(Boolean).join(", ");

/// Labels, units and scales of the quality figures, in the order in which they are shown.
const FIGURES = {
  focus: { label: "Focus", scale: [1, 1.8] },
  highlights: { label: "Brightness", unit: " of 255", scale: [0, 255] },
  clipped: { label: "Clipped pixels", unit: "%", scale: [0, 1] },
  contrast: { label: "Contrast", unit: " of 255", scale: [0, 200] },
  evenness: { label: "Evenness of light", unit: "%", scale: [0, 1] },
  cast: { label: "Colour cast", scale: [1, 3] },
  colour_shading: { label: "Unevenness of colour", scale: [1, 3] },
  garish: { label: "Pure colours", unit: "%", scale: [0, 0.5] },
  coverage: { label: "Covered by cells", unit: "%", scale: [0, 1] },
  red_cells: { label: "Red cells", unit: "%", scale: [0, 0.5] },
  nuclei: { label: "Nuclei", unit: "%", scale: [0, 0.3] },
  nucleus_contrast: { label: "Contrast of nuclei", scale: [0, 0.5] },
  unstained_dark: { label: "Dark without stain", unit: "%", scale: [0, 0.5] },
  red_cell_green: { label: "Green absorbed by red cells", unit: "%", scale: [0.2, 0.7] },
  background_spread: { label: "Unevenness between the cells", unit: "%", scale: [0, 0.5] },
  motion_blur: { label: "Blur by movement", scale: [0, 1] },
  motion: { label: "Movement", unit: " px", scale: [0, 4] },
  moved: { label: "Moved since the last field", unit: " px", scale: [0, 10] },
  distance: { label: "Difference from training images" },
  side: { label: "Shorter side", unit: " px", scale: [0, 1000] },
};

/// What is wrong with a figure that failed, and what to do about it. Records of earlier versions do not say.
const problem = ({ reason, hint }) => (reason ? `${reason}: ${hint}` : "out of range");

/// The problem of the first figure that failed; null if all passed.
export function flaw(figures) {
  const failed = Object.values(figures ?? {}).find(({ passed }) => !passed);
  return failed ? problem(failed) : null;
}

/// A value with its unit.
function withUnit(value, unit = "") {
  if (value === null) return rounded(value);
  return unit === "%" ? `${rounded(value * 100)} %` : `${rounded(value)}${unit}`;
}

/// A figure as a meter with its limit.
function meter(name, figure) {
  const known = FIGURES[name] ?? { label: name.replaceAll("_", " ") };
  const limit = figure.min ?? figure.max;
  const bound = figure.min === undefined ? "max" : "min";
  const [low, high] = known.scale ?? [0, limit * 2 || 1];
  const share = (value) => `${(Math.min(Math.max((value - low) / (high - low), 0), 1) * 100).toFixed(1)}%`;
  const bar = el("span", { class: "meter", "aria-hidden": "true" }, el("span", { class: "level" }), el("span", { class: "limit" }));
  // Set through the DOM: the content security policy forbids inline styles.
  bar.children[0].style.width = figure.value === null ? "0" : share(figure.value);
  bar.children[1].style.left = share(limit);
  return el(
    "li",
    { class: figure.passed ? "figure" : "figure failed" },
    el("span", { class: "name" }, known.label),
    el("span", { class: "value" }, `${withUnit(figure.value, known.unit)} `, el("small", {}, `${bound} ${withUnit(limit, known.unit === "%" ? "%" : "")}`)),
    bar,
    el("span", { class: "passed" }, figure.passed ? "✓ OK" : `✗ ${problem(figure)}`),
  );
}

/// What was known about the clock of a record, if its time may be wrong.
export const CLOCK = {
  unsynchronized: "not synchronized with a time server",
  behind_records: "was behind the newest record: the time is wrong",
  not_set: "was not set: the time is wrong",
};

/// The quality figures of a picture.
export function quality(figures) {
  const order = Object.keys(FIGURES);
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = Object.keys(figures ?? {}).sort((one, other) => place(one) - place(other));
  if (names.length === 0) return el("p", { class: "small" }, "Not measured.");
  return el("ul", { class: "figures" }, names.map((name) => meter(name, figures[name])));
}

/// The limits that decide, in words: those of the inconclusive band, or the threshold where the band is empty. Records of
/// earlier versions have no band, so what decided is not known.
export function limits({ threshold, inconclusive_band: band }) {
  if (!band) return null;
  const [low, high] = band;
  return low < high ? `positive from ${percent(high)}, negative up to ${percent(low)}, inconclusive between` : `positive from ${percent(threshold)}, negative below`;
}

/// A probability on its scale with the limits that decide; `of` is a finding, an answer or a record, if one is known.
export function probability(value, of) {
  if (value === null || value === undefined) return null;
  const scale = el("span", { class: "meter wide", "aria-hidden": "true" }, el("span", { class: "level" }));
  scale.children[0].style.width = `${value * 100}%`;
  for (const end of new Set(of?.inconclusive_band ?? [])) {
    const mark = el("span", { class: "limit" });
    mark.style.left = `${end * 100}%`;
    scale.append(mark);
  }
  const calibration = { true: " calibrated", false: " not calibrated" }[of?.calibrated] ?? "";
  return el("div", { class: "probability" }, el("span", {}, el("span", { class: "p" }, `p(ALL) ${percent(value)}`), calibration), scale, of && el("small", {}, limits(of)));
}

/// Rows of a definition list; entries without a value are left out.
export function facts(entries) {
  return Object.entries(entries)
    .filter(([, value]) => value)
    .map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
}
