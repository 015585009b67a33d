// The count of a slide or a field: its words, its interval on a scale, what a negative verdict needs, and the rule.

import { className } from "./cells.js";
import { el, rounded, sharePercent } from "./dom.js";

/// Upper ends of the scale of an interval.
const TOPS = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1];

/// The rule that decides about a count, in the words of the command line.
export function rule(share, fewest, needed) {
  return `Positive if the 95 % interval of the share of blasts lies above ${sharePercent(share)} % and ${fewest} leukocytes were counted, negative if it lies below and ${needed} were counted, else inconclusive.`;
}

/// The cells that were counted of those that a negative verdict needs.
function progress({ cells, min_cells: needed }) {
  const bar = el("span", { class: "meter wide", "aria-hidden": "true" }, el("span", { class: "level" }));
  bar.children[0].style.width = `${Math.min(cells / needed, 1) * 100}%`;
  const words = cells < needed ? `${cells} of ${needed} cells for a negative verdict` : `${cells} cells; a negative verdict needs ${needed}`;
  return el("div", { class: "progress" }, el("small", {}, words), bar);
}

/// The interval of the share of blasts on a scale with the share that decides; null if the count gives none.
function interval({ share, interval: [low, high], deciding_share: deciding }) {
  if (share === null) return null;
  const top = TOPS.find((end) => end >= Math.max(high, 1.5 * deciding)) ?? 1;
  const at = (value) => `${Math.min(value / top, 1) * 100}%`;
  const bar = el("span", { class: "range" });
  bar.style.left = at(low);
  bar.style.width = at(high - low);
  const point = el("span", { class: "point" });
  point.style.left = at(share);
  const limit = el("span", { class: "limit" });
  const tick = el("span", { class: "tick" }, `${rounded(100 * deciding)} % decides`);
  limit.style.left = tick.style.left = at(deciding);
  tick.classList.toggle("leftward", deciding > top / 2);
  // The words of the count say the same.
  return el(
    "div",
    { class: "interval", "aria-hidden": "true" },
    el("small", {}, "Share of blasts with its 95 % interval"),
    el("span", { class: "meter wide" }, bar, point, limit),
    el("span", { class: "ticks" }, el("span", {}, "0"), tick, el("span", {}, `${rounded(100 * top)} %`)),
  );
}

/// How far a count is from a verdict, and what decides.
export const countMeasures = (count) => el("div", { class: "measures" }, progress(count), interval(count), el("p", { class: "small" }, rule(count.deciding_share, count.fewest_cells, count.min_cells)));

/// The cells of a slide by class, with intervals.
export function differential(rows) {
  if (rows.length === 0) return el("p", { class: "none" }, "No counted cells.");
  const line = ({ class: name, cells, share, interval: [low, high] }) => {
    const bar = el("span", { class: "meter", "aria-hidden": "true" }, el("span", { class: "level" }));
    bar.children[0].style.width = `${share * 100}%`;
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, className(name)),
      el("td", { class: "figure-cell" }, String(cells)),
      el("td", { class: "figure-cell" }, `${sharePercent(share)} % (${sharePercent(low)}–${sharePercent(high)})`),
      el("td", { class: "bar-cell" }, bar),
    );
  };
  const table = el(
    "table",
    { class: "differential" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Class"), el("th", { scope: "col" }, "Cells"), el("th", { scope: "col" }, "Share (95 %)"), el("td", { class: "bar-cell" }))),
    el("tbody", {}, rows.map(line)),
  );
  return [table, el("p", { class: "small" }, "Cells as the model called them. The share of blasts that decides has the model's known errors taken out, so it may differ.")];
}
