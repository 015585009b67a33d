// Verdicts and what they rest on, in the words and by the lamps of the bench.

import { image } from "./api.js";
import { count, el, fill, moment, percent, recordedAt, rounded } from "./dom.js";

/// Each has a mark of its own: nobody needs to see colours.
const MARKS = { Positive: "▲", Negative: "▼", Inconclusive: "◆" };

/// A verdict's word, as a badge.
export function badge(verdict) {
  const known = verdict in MARKS;
  return el(
    "span",
    { class: `badge ${known ? verdict.toLowerCase() : ""}` },
    el("span", { "aria-hidden": "true" }, known ? `${MARKS[verdict]} ` : ""),
    verdict,
  );
}

/// How many fields a slide has, and of which kinds.
export const tally = ({ fields, refused, unsaved }) =>
  [`${count(fields, "field")} judged`, `${refused} refused`, unsaved > 0 && `${unsaved} NOT SAVED`].filter(Boolean).join(", ");

/// The verdict that the bench shows of a finding: the slide's, but for a field that was refused, of which another
/// must be taken, and for one that was not saved, which counts for nothing.
export function shownOf(finding) {
  if (finding.saved === false) {
    return { verdict: "Inconclusive", reason: "not saved, does not count", hint: "check the disk of the appliance, take it again", probability: null };
  }
  const isJudged = finding.probability !== null;
  return isJudged
    ? finding.slide
    : { verdict: finding.verdict, reason: finding.reason, hint: finding.hint, probability: null };
}

/// What figures are called, where their scales end, and how they are read. In the order in which a person looks.
const FIGURES = {
  focus: { label: "Focus", scale: [1, 1.8], low: "out of focus: turn the fine focus" },
  highlights: { label: "Light", scale: [0, 255], low: "too dark: turn up the light" },
  clipped: { label: "Overexposed share", scale: [0, 1], high: "too bright: turn down the light" },
  contrast: { label: "Contrast", scale: [0, 200], low: "no contrast: move to a field with cells" },
  evenness: { label: "Evenness of light", scale: [0, 1], low: "uneven light: centre the condenser" },
  cast: { label: "Colour cast", scale: [1, 3], high: "set the white balance" },
  garish: { label: "Pure colours", scale: [0, 0.5], high: "not a stained smear" },
  coverage: { label: "Covered by cells", scale: [0, 1], high: "move to a thinner area" },
  red_cells: { label: "Red cells", scale: [0, 0.5], low: "check slide and stain" },
  nuclei: { label: "Nuclei", scale: [0, 0.3], low: "move to a field with white cells" },
  motion: { label: "Movement", scale: [0, 4], high: "hold the stage still" },
  moved: { label: "Moved since the last field", scale: [0, 10], low: "same field as before: move the stage" },
  distance: { label: "Distance from the training", high: "unlike what the model was trained on" },
  side: { label: "Shorter side, pixels", scale: [0, 1000], low: "too few pixels" },
};

/// What is wrong with a figure, and what to do about it; nothing if it is as it must be.
function remedy(name, { passed, min }) {
  if (passed) return null;
  const known = FIGURES[name];
  return (min === undefined ? known?.high : known?.low) ?? "outside its limit";
}

/// What is wrong with a picture, as the first of its figures that is not as it must be says.
export function flaw(figures) {
  const name = Object.keys(FIGURES).find((one) => figures?.[one]?.passed === false);
  return name ? remedy(name, figures[name]) : null;
}

/// A figure as a meter with its limit.
function meter(name, figure) {
  const known = FIGURES[name] ?? { label: name.replaceAll("_", " ") };
  const limit = figure.min ?? figure.max;
  const isLeast = figure.min !== undefined;
  const [low, high] = known.scale ?? [0, limit * 2 || 1];
  const share = (value) => `${(Math.min(Math.max((value - low) / (high - low), 0), 1) * 100).toFixed(1)}%`;
  const bar = el("span", { class: "meter", "aria-hidden": "true" }, el("span", { class: "level" }), el("span", { class: "limit" }));
  // Through the object model, since the page allows no styles in its markup.
  bar.children[0].style.width = figure.value === null ? "0" : share(figure.value);
  bar.children[1].style.left = share(limit);
  return el(
    "li",
    { class: figure.passed ? "figure" : "figure failed" },
    el("span", { class: "name" }, known.label),
    el("span", { class: "value" }, `${rounded(figure.value)} `, el("small", {}, `${isLeast ? "at least" : "at most"} ${rounded(limit)}`)),
    bar,
    el("span", { class: "passed" }, figure.passed ? "✓ fine" : `✗ ${remedy(name, figure)}`),
  );
}

/// All figures of a picture's quality.
export function quality(figures) {
  const order = Object.keys(FIGURES);
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = Object.keys(figures ?? {}).sort((one, other) => place(one) - place(other));
  if (names.length === 0) return el("p", { class: "small" }, "Nothing was measured.");
  return el("ul", { class: "figures" }, names.map((name) => meter(name, figures[name])));
}

/// The probability on its scale, with the threshold.
export function probability(value, threshold, verdict) {
  if (value === null || value === undefined) return null;
  const hasThreshold = threshold !== undefined && threshold !== null;
  const scale = el("span", { class: "meter wide", "aria-hidden": "true" }, el("span", { class: "level" }), el("span", { class: "limit" }));
  scale.children[0].style.width = `${value * 100}%`;
  if (hasThreshold) scale.children[1].style.left = `${threshold * 100}%`;
  else scale.children[1].remove();
  const meaning = verdict === "Inconclusive" ? "here the model is not sure enough to say so" : "";
  return el(
    "div",
    { class: "probability" },
    el("span", {}, el("span", { class: "p" }, `p(ALL) ${percent(value)}`), " calibrated"),
    scale,
    hasThreshold && el("small", {}, [`positive from ${percent(threshold)} on`, meaning].filter(Boolean).join("; ")),
  );
}

/// The picture of a recorded field, and what the model saw in it as a slider above it.
export function evidence(record, hasOverlay = true) {
  const box = el("div", { class: "evidence" }, el("p", { class: "small" }, "Loading the picture …"));
  const urls = [];
  const load = async () => {
    const path = `/v1/fields/${encodeURIComponent(record)}`;
    const keep = (url) => (urls.push(url), url);
    const picture = el("img", { src: keep(await image(`${path}/image`)), alt: "The field as the camera gave it" });
    const stack = el("div", { class: "stack" }, picture);
    const overlay = hasOverlay ? await image(`${path}/overlay`).catch((error) => (error.status === 404 ? null : Promise.reject(error))) : null;
    if (!overlay) return fill(box, stack, el("p", { class: "small" }, "The model gave no evidence for this field."));
    const above = el("img", { src: keep(overlay), alt: "What spoke for leukemia (vermilion) and against it (blue)", class: "above" });
    const slider = el("input", { type: "range", min: 0, max: 100, value: 50, id: `slider-${record}` });
    const show = () => {
      above.style.opacity = slider.value / 100;
      slider.setAttribute("aria-valuetext", `${slider.value} %`);
    };
    slider.addEventListener("input", show);
    show();
    stack.append(above);
    fill(
      box,
      stack,
      el("label", { for: slider.id }, "Evidence over the picture"),
      slider,
      el("p", { class: "small" }, "Vermilion spoke for leukemia, blue against it; the ring is around the strongest place."),
    );
  };
  load().catch((error) => fill(box, el("p", { class: "small" }, error.status === 404 ? "The picture is not there any more." : `The picture cannot be shown: ${error.message}.`)));
  box.release = () => urls.forEach((url) => URL.revokeObjectURL(url));
  return box;
}

/// Shows all that is known of a field: a finding, or a record.
export function openField(title, field) {
  const dialog = document.getElementById("field");
  const record = field.record ?? field.id ?? null;
  const picture = record ? evidence(record, field.overlay !== null) : el("p", { class: "small" }, "This field was not recorded; there is no picture of it.");
  const model = typeof field.model === "string" ? field.model : field.model && `${field.model.name} ${field.model.version}`;
  const engine = typeof field.engine === "string" ? field.engine : field.engine && `${field.engine.name} ${field.engine.version} on ${field.engine.device}`;
  document.getElementById("field-title").textContent = title;
  // The page's own lies behind the dialog.
  document.getElementById("field-notice").textContent = document.getElementById("notice").textContent;
  fill(
    document.getElementById("field-body"),
    el("div", { class: "line" }, badge(field.verdict), field.reason && el("span", {}, field.reason, field.hint ? `: ${field.hint}` : "")),
    probability(field.probability, field.threshold, field.verdict),
    picture,
    el("h3", {}, "Quality"),
    quality(field.quality),
    el(
      "dl",
      { class: "facts" },
      facts({
        Photographed: moment(field.captured_at ?? recordedAt(record) ?? NaN),
        Source: field.source,
        Model: model && `${model}${(field.demo ?? field.model?.demo) ? " (demo, means nothing about patients)" : ""}`,
        Engine: engine,
        Record: record,
      }),
    ),
  );
  dialog.onclose = () => picture.release?.();
  dialog.showModal();
}

/// Terms and what they are; those without are left out.
export function facts(entries) {
  return Object.entries(entries)
    .filter(([, value]) => value)
    .map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
}
