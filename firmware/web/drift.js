// The charts of what drifts: light, focus, stain and refused fields of each day, against the weeks before.

import { get, post } from "./api.js";
import { count, el, fill, moment, percent } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
/// Size of a chart in its own units, and its rim, in which dots have room.
const [WIDTH, HEIGHT, RIM] = [320, 80, 6];
const DAY = 86_400_000;

const TITLES = { light: "Light", focus: "Focus", stain: "Stain", refused: "Refused fields" };

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/// A value for people: shares as they are, all others relative to the weeks before, or to the first day.
function words(figure, value, mean) {
  if (figure === "refused") return percent(value);
  const change = 100 * (value / mean - 1);
  return `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)} %`;
}

/// A date without a time of day.
const day = (date) => new Date(`${date}T00:00:00Z`).toLocaleDateString(undefined, { dateStyle: "medium", timeZone: "UTC" });

/// Dots of the days, the line between them, and the usual values as a band around their mean.
function picture({ figure, reference, days }) {
  const mean = reference?.mean ?? days[0].value;
  const values = [...days.map(({ value }) => value), ...(reference?.usual ?? []), mean];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [days[0], days.at(-1)].map(({ date }) => Date.parse(date));
  const x = (date) => RIM + ((Date.parse(date) - first) / Math.max(last - first, DAY)) * (WIDTH - 2 * RIM);
  // Values that are all the same lie in the middle.
  const y = (value) => HEIGHT / 2 + (high > low ? (0.5 - (value - low) / (high - low)) * (HEIGHT - 2 * RIM) : 0);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `${TITLES[figure]} on ${count(days.length, "day")}, the newest ${words(figure, days.at(-1).value, mean)}` });
  if (reference) {
    const [bottom, top] = reference.usual.map(y);
    drawn.append(svg("rect", { class: "usual", x: 0, y: top, width: WIDTH, height: bottom - top }));
    drawn.append(svg("line", { class: "mean", x1: 0, x2: WIDTH, y1: y(mean), y2: y(mean) }));
  }
  drawn.append(svg("polyline", { points: days.map(({ date, value }) => `${x(date).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }));
  for (const { date, fields, value, is_drift: isOut } of days) {
    const title = svg("title", {}, `${day(date)}: ${words(figure, value, mean)}, ${count(fields, "field")}`);
    drawn.append(svg("circle", { class: isOut ? "out" : "", cx: x(date).toFixed(1), cy: y(value).toFixed(1), r: isOut ? 4 : 2.5 }, title));
  }
  return drawn;
}

/// A figure with its chart.
function chart(watched) {
  const { figure, warning, missing_days: missing, reference, days } = watched;
  const state = warning
    ? el("span", { class: "problem" }, `✗ ${warning}`)
    : missing > 0
      ? `needs ${count(missing, "more day")} with at least 5 fields`
      : reference && `${words(figure, reference.recent, reference.mean)} in the last days, usually ${reference.usual.map((value) => words(figure, value, reference.mean)).join(" to ")}`;
  return el(
    "div",
    { class: "drift" },
    el("h3", {}, TITLES[figure]),
    days.length > 0 && picture(watched),
    days.length > 0 && el("p", { class: "ends small" }, el("span", {}, day(days[0].date)), days.length > 1 && el("span", {}, day(days.at(-1).date))),
    el("p", { class: "small" }, state),
  );
}

/// Fills `box` with the charts, as they are now.
export async function drift(box) {
  const found = await get("/v1/drift");
  const show = ({ restarted_at: restarted, charts }) => {
    const result = el("p", { role: "status" });
    const restart = async () => {
      if (!confirm("Start the watch anew? What was recorded up to now is no longer compared with. Do this after a new lamp, stain or lens.")) return;
      try {
        show(await post("/v1/drift/restart"));
      } catch (error) {
        fill(result, el("span", { class: "problem" }, `✗ ${error.message}`));
      }
    };
    const has = charts.some(({ days }) => days.length > 0);
    fill(
      box,
      el("p", { class: "small" }, `Each day against the weeks before${restarted ? `; started anew ${moment(restarted)}` : ""}.`),
      has ? charts.map(chart) : el("p", { class: "none" }, `No day with at least 5 fields yet; ${charts[0].missing_days} are needed.`),
      has && el("p", { class: "buttons" }, el("button", { type: "button", onclick: restart }, "Start anew")),
      result,
    );
  };
  show(found);
}
