// The recorded slides: the list, and one slide with its fields, notes and exports.

import { get, post, request } from "./api.js";
import { bench } from "./bench.js";
import { address, callOf } from "./cells.js";
import { countMeasures, differential } from "./count.js";
import { count, download, el, fill, moment } from "./dom.js";
import { MOST, gallery } from "./gallery.js";
import { fieldImage } from "./images.js";
import { badge, probability, result, tally } from "./verdict.js";

/// Why there is nothing to show. The appliance says whether it keeps no records or has no such slide.
export const absent = (error) =>
  error.status === 404
    ? el("p", { class: "none" }, `${error.message}.`)
    : el("p", { class: "problem" }, `Cannot load the records: ${error.message}.`);

/// The filter, kept while other views are open.
const filter = { verdict: "", since: "", until: "" };
/// Slides per request.
const PAGE = 50;

/// The title of a slide; uploaded images have number 0.
export const slideTitle = (number) => (number === 0 ? "Uploaded image" : `Slide ${number}`);

/// The query of a page. Days are in the browser's time zone.
function query(cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  const startOf = (day, later) => {
    const date = new Date(`${day}T00:00`);
    date.setDate(date.getDate() + later);
    return date.toISOString();
  };
  if (filter.verdict) query.set("verdict", filter.verdict);
  if (filter.since) query.set("since", startOf(filter.since, 0));
  if (filter.until) query.set("until", startOf(filter.until, 1));
  if (cursor !== null) query.set("cursor", cursor);
  return query;
}

/// The view: all slides, or the one in the URL.
export function slides(main, signal, [id]) {
  return id ? one(main, signal, id) : all(main, signal);
}

async function all(main, signal) {
  const list = el("ul", { class: "rows" }, el("li", { class: "none" }, "Loading …"));
  const status = el("p", { class: "small", role: "status" });
  const more = el("button", { type: "button", onclick: () => load(found.length + PAGE) }, "Older slides");
  let found = [];
  let requests = 0;

  const row = ({ id, number, started_at: started, standing }) =>
    el(
      "li",
      {},
      el(
        "a",
        { class: "button row", href: `#/slides/${encodeURIComponent(id)}` },
        badge(standing.verdict),
        el("span", { class: "what" }, [slideTitle(number).toLowerCase(), moment(started), tally(standing)].join(" · ")),
        el("span", {}, result(standing)),
      ),
    );
  /// Loads at least `wanted` slides, if there are that many.
  const load = async (wanted) => {
    const mine = ++requests;
    try {
      const slides = [];
      let next = null;
      do {
        const page = await get(`/v1/slides?${query(next)}`);
        slides.push(...page.slides);
        ({ next } = page);
      } while (next !== null && slides.length < wanted);
      // The user may have changed the filter in the meantime.
      if (signal.aborted || mine !== requests) return;
      found = slides;
      more.hidden = next === null;
      status.textContent = `${count(found.length, "slide")}${next === null ? "" : " and more"}`;
      const isFiltered = Object.values(filter).some(Boolean);
      fill(list, found.map(row), found.length === 0 && el("li", { class: "none" }, isFiltered ? "No matching slides." : "No slides recorded yet."));
    } catch (error) {
      if (signal.aborted || mine !== requests) return;
      more.hidden = true;
      status.textContent = "";
      fill(list, el("li", { class: "none" }, absent(error)));
    }
  };
  const choose = (name, element) => {
    element.value = filter[name];
    element.addEventListener("input", () => {
      filter[name] = element.value;
      load(PAGE);
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
  more.hidden = true;
  fill(main, el("h1", {}, "Slides"), el("section", { class: "card", "aria-label": "Recorded slides" }, filters, status, list, el("p", { class: "buttons" }, more)));
  await load(PAGE);
  // Reload after each new field.
  let last = bench.fields.at(-1);
  bench.addEventListener("change", () => bench.connected && last !== bench.fields.at(-1) && ((last = bench.fields.at(-1)), load(found.length)), { signal });
}

/// Buttons that export a slide.
function exports({ id, number }) {
  const status = el("p", { class: "small", role: "status" }, "Saving here does not mark images as exported; the appliance keeps them.");
  const save = async (format, name) => {
    status.textContent = `Loading ${name} …`;
    try {
      const response = await request(`/v1/records/export?format=${format}&slide=${encodeURIComponent(id)}`, { signal: AbortSignal.timeout(600_000) });
      const damaged = Number(response.headers.get("damaged-images"));
      download(name, response.headers.get("content-type"), await response.blob());
      status.textContent = damaged > 0 ? `${name}: ${count(damaged, "image")} missing because of changed files.` : `${name} saved.`;
    } catch (error) {
      status.textContent = `Not saved: ${error.message}.`;
    }
  };
  const button = (format, extension, text) => el("button", { type: "button", onclick: () => save(format, `slide-${number}.${extension}`) }, text);
  return [el("p", { class: "buttons" }, button("csv", "csv", "Save as CSV"), button("json", "jsonl", "Save as JSON"), button("zip", "zip", "Save with images (ZIP)")), status];
}

/// The notes on a slide, and a form for a new one.
function notes({ id, notes: written }) {
  const list = el("ol", { class: "notes" });
  const status = el("p", { class: "small", role: "status" });
  const text = el("textarea", { id: "note", rows: 3, maxLength: 2000, required: true });
  const button = el("button", { type: "submit" }, "Add note");
  const show = () =>
    fill(
      list,
      written.map((note) => el("li", {}, el("small", {}, moment(note.written_at)), el("p", {}, note.text))),
      written.length === 0 && el("li", { class: "none" }, "None yet."),
    );
  const write = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const options = { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text: text.value }) };
      written.push(await post(`/v1/slides/${encodeURIComponent(id)}/notes`, options));
      text.value = "";
      status.textContent = "Note added.";
      show();
    } catch (error) {
      status.textContent = `Not added: ${error.message}.`;
    } finally {
      button.disabled = false;
    }
  };
  show();
  return [
    el("h2", {}, "Notes"),
    list,
    el("form", { onsubmit: write }, el("label", { for: "note" }, "New note"), text, el("p", { class: "small" }, "Notes are part of the records and cannot be changed or deleted. Do not enter patient data."), el("p", { class: "buttons" }, button)),
    status,
  ];
}

/// Loads a slide with all its fields.
export async function loadSlide(id) {
  const fields = [];
  let slide = null;
  let next = null;
  do {
    slide = await get(`/v1/slides/${encodeURIComponent(id)}?limit=100${next === null ? "" : `&cursor=${next}`}`);
    fields.push(...slide.fields);
    ({ next } = slide);
  } while (next !== null);
  return { ...slide, fields };
}

/// The cells of a slide: the differential and the gallery. Empty if the model counts no cells.
async function cells(box, signal, id) {
  const { cells: found, total, differential: rows } = await get(`/v1/slides/${encodeURIComponent(id)}/cells?limit=${MOST}`);
  if (signal.aborted || found.length === 0) return;
  const blasts = found.filter((cell) => callOf(cell).kind === "blast");
  fill(
    box,
    el("section", { class: "card differential-card", "aria-labelledby": "differential-title" }, el("h2", { id: "differential-title" }, "Counted cells by class"), differential(rows)),
    el(
      "section",
      { class: "card wide", "aria-labelledby": "cells-title" },
      el("h2", { id: "cells-title" }, "Cells of the slide, most suspicious first"),
      el("p", { class: "small" }, found.length < total ? `The ${found.length} most suspicious of ${total} cells, each once.` : "Each cell once.", blasts.length > 0 && ` ${count(blasts.length, "cell")} counted as ${blasts.length === 1 ? "a blast" : "blasts"}: look at them first.`),
      gallery(found, { image: fieldImage, link: ({ field, number }) => address(field, number), signal }),
    ),
  );
}

async function one(main, signal, id) {
  const box = el("section", { class: "card", "aria-label": "Slide" }, el("p", { class: "none" }, "Loading …"));
  const ofCells = el("div", { class: "cells-of-slide" });
  const rest = el("section", { class: "card wide", "aria-label": "Fields and notes", hidden: true });
  fill(main, el("p", { class: "back" }, el("a", { href: "#/slides" }, "← All slides")), el("h1", {}, "Slide"), el("div", { class: "slide" }, box, ofCells, rest));
  try {
    const slide = await loadSlide(id);
    if (signal.aborted) return;
    const { fields } = slide;
    main.querySelector("h1").textContent = `${slideTitle(slide.number)}, ${moment(slide.started_at)}`;
    const last = fields.at(-1)?.standing;
    const row = (field) =>
      el(
        "li",
        {},
        el(
          "a",
          { class: "button row", href: address(field.id) },
          el("span", { class: "number" }, String(field.number)),
          badge(field.verdict),
          el("span", { class: "what" }, [result(field) || field.reason, moment(field.captured_at)].join(" · ")),
          field.images_removed_at && el("span", { class: "small" }, "image removed"),
          el("span", { class: "then" }, `slide so far: ${[field.standing.verdict, result(field.standing)].filter(Boolean).join(", ")}`),
        ),
      );
    fill(
      box,
      last && [
        el("div", { class: "line" }, badge(last.verdict), el("span", {}, [last.reason, tally(last), slide.closed_because === "restart" && "closed when the appliance started again"].filter(Boolean).join(" · "))),
        last.count && [el("p", { class: "count" }, last.count.words), countMeasures(last.count)],
        probability(last.probability, fields.at(-1)),
      ],
      exports(slide),
    );
    rest.hidden = false;
    fill(rest, el("h2", {}, "Fields and running slide verdict"), el("ol", { class: "rows" }, fields.map(row)), notes(slide));
    if (last?.count) {
      await cells(ofCells, signal, id).catch((error) => {
        if (!signal.aborted) fill(ofCells, el("section", { class: "card", "aria-label": "Cells" }, absent(error)));
      });
    }
  } catch (error) {
    if (!signal.aborted) fill(box, absent(error));
  }
}
