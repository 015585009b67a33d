// The slides that were recorded: which there are, and what was found on one.

import { get } from "./api.js";
import { bench } from "./bench.js";
import { count, download, el, fill, moment, percent } from "./dom.js";
import { badge, openField, probability } from "./verdict.js";

/// What is said where there is nothing to show, and why.
const absent = (error) =>
  error.status === 404
    ? el("p", { class: "none" }, "This appliance does not show its records here. At the appliance, smearscope records list names them.")
    : el("p", { class: "problem" }, `The records cannot be shown: ${error.message}.`);

/// Which slides are looked for; it stays while other views are looked at.
const filter = { verdict: "", since: "", until: "" };

const isWanted = ({ verdict, started_at: started }) => {
  const day = localDay(started);
  return (!filter.verdict || verdict === filter.verdict) && (!filter.since || day >= filter.since) && (!filter.until || day <= filter.until);
};

/// The day as the person at the page has it: `2026-11-24`.
function localDay(time) {
  const date = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/// The view: all slides, or the one that the address names.
export function slides(main, signal, [id]) {
  return id ? one(main, signal, id) : all(main, signal);
}

async function all(main, signal) {
  const list = el("ul", { class: "rows" }, el("li", { class: "none" }, "Asking …"));
  const told = el("p", { class: "small", role: "status" });
  let found = [];

  const show = () => {
    const wanted = found.filter(isWanted);
    told.textContent = `${wanted.length} of ${count(found.length, "slide")}`;
    fill(
      list,
      wanted.map((slide) =>
        el(
          "li",
          {},
          el(
            "a",
            { class: "button row", href: `#/slides/${encodeURIComponent(slide.id)}` },
            badge(slide.verdict),
            el("span", { class: "what" }, [`slide ${slide.number}`, moment(slide.started_at), `${count(slide.fields, "field")}, ${slide.refused} refused`].join(" · ")),
            slide.probability !== null && el("span", {}, `p(ALL) ${percent(slide.probability)}`),
          ),
        ),
      ),
      wanted.length === 0 && el("li", { class: "none" }, found.length === 0 ? "No slide was recorded yet." : "No slide is like that."),
    );
  };
  const choose = (name, element) => {
    element.value = filter[name];
    element.addEventListener("input", () => {
      filter[name] = element.value;
      show();
    });
    return element;
  };
  const filters = el(
    "div",
    { class: "filters" },
    el("label", {}, "Verdict", choose("verdict", el("select", {}, el("option", { value: "" }, "any"), ["Positive", "Negative", "Inconclusive"].map((verdict) => el("option", { value: verdict }, verdict))))),
    el("label", {}, "From", choose("since", el("input", { type: "date" }))),
    el("label", {}, "To", choose("until", el("input", { type: "date" }))),
  );
  fill(main, el("h1", {}, "Slides"), el("section", { class: "card", "aria-label": "Recorded slides" }, filters, told, list));

  const ask = async () => {
    try {
      ({ slides: found } = await get("/v1/slides?limit=100"));
      if (!signal.aborted) show();
    } catch (error) {
      if (!signal.aborted) fill(list, el("li", { class: "none" }, absent(error)));
    }
  };
  await ask();
  // A field more, or another slide.
  let last = bench.fields.at(-1);
  bench.addEventListener("change", () => bench.connected && last !== bench.fields.at(-1) && ((last = bench.fields.at(-1)), ask()), { signal });
}

async function one(main, signal, id) {
  const box = el("section", { class: "card", "aria-label": "Slide" }, el("p", { class: "none" }, "Asking …"));
  fill(main, el("p", { class: "back" }, el("a", { href: "#/slides" }, "← All slides")), el("h1", {}, "Slide"), box);
  try {
    const slide = await get(`/v1/slides/${encodeURIComponent(id)}?limit=100`);
    if (signal.aborted) return;
    const { fields } = slide;
    main.querySelector("h1").textContent = `Slide ${slide.number}, ${moment(slide.started_at)}`;
    const last = fields.at(-1)?.standing;
    const row = (field) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "row", onclick: () => openField(`Slide ${slide.number}, field ${field.number}`, field) },
          el("span", { class: "number" }, String(field.number)),
          badge(field.verdict),
          el("span", { class: "what" }, [field.probability === null ? field.reason : `p(ALL) ${percent(field.probability)}`, moment(field.captured_at)].join(" · ")),
          field.images_removed_at && el("span", { class: "small" }, "picture removed"),
          el("span", { class: "then" }, `then the slide: ${field.standing.verdict}${field.standing.probability === null ? "" : `, ${percent(field.standing.probability)}`}`),
        ),
      );
    fill(
      box,
      last && [
        el("div", { class: "line" }, badge(last.verdict), el("span", {}, [last.reason, `${count(last.fields, "field")} judged, ${last.refused} refused`].filter(Boolean).join(" · "))),
        probability(last.probability, fields.at(-1).threshold, last.verdict),
      ],
      el("p", { class: "buttons" }, el("button", { type: "button", onclick: () => download(`smearscope-slide-${id}.json`, "application/json", JSON.stringify(slide, null, 2)) }, "Export as JSON")),
      el("h2", {}, "Fields, and what the slide came to with each"),
      el("ol", { class: "rows" }, fields.map(row)),
    );
  } catch (error) {
    if (!signal.aborted) fill(box, absent(error));
  }
}
