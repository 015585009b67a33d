// The slides that were recorded: which there are, and what was found on one.

import { get, post, request } from "./api.js";
import { bench } from "./bench.js";
import { count, download, el, fill, moment, percent } from "./dom.js";
import { badge, openField, probability, tally } from "./verdict.js";

/// What is said where there is nothing to show, and why.
const absent = (error) =>
  error.status === 404
    ? el("p", { class: "none" }, "This appliance does not show its records here. At the appliance, smearscope records list names them.")
    : el("p", { class: "problem" }, `The records cannot be shown: ${error.message}.`);

/// Which slides are looked for; it stays while other views are looked at.
const filter = { verdict: "", since: "", until: "" };
/// What is asked for at once.
const PAGE = 50;

/// What was sent to the appliance was on no slide of the bench.
const title = (number) => (number === 0 ? "Sent image" : `Slide ${number}`);

/// The query for it. Days are those of the person at the page.
function query(cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  const begin = (day, later) => {
    const date = new Date(`${day}T00:00`);
    date.setDate(date.getDate() + later);
    return date.toISOString();
  };
  if (filter.verdict) query.set("verdict", filter.verdict);
  if (filter.since) query.set("since", begin(filter.since, 0));
  if (filter.until) query.set("until", begin(filter.until, 1));
  if (cursor !== null) query.set("cursor", cursor);
  return query;
}

/// The view: all slides, or the one that the address names.
export function slides(main, signal, [id]) {
  return id ? one(main, signal, id) : all(main, signal);
}

async function all(main, signal) {
  const list = el("ul", { class: "rows" }, el("li", { class: "none" }, "Asking …"));
  const told = el("p", { class: "small", role: "status" });
  const more = el("button", { type: "button", onclick: () => ask(found.length + PAGE) }, "Older slides");
  let found = [];
  let asked = 0;

  const row = ({ id, number, started_at: started, standing }) =>
    el(
      "li",
      {},
      el(
        "a",
        { class: "button row", href: `#/slides/${encodeURIComponent(id)}` },
        badge(standing.verdict),
        el("span", { class: "what" }, [title(number).toLowerCase(), moment(started), tally(standing)].join(" · ")),
        standing.probability !== null && el("span", {}, `p(ALL) ${percent(standing.probability)}`),
      ),
    );
  /// Asks for so many slides, or for a few more.
  const ask = async (wanted) => {
    const mine = ++asked;
    try {
      const slides = [];
      let next = null;
      do {
        const page = await get(`/v1/slides?${query(next)}`);
        slides.push(...page.slides);
        ({ next } = page);
      } while (next !== null && slides.length < wanted);
      // Another filter may have been chosen meanwhile.
      if (signal.aborted || mine !== asked) return;
      found = slides;
      more.hidden = next === null;
      told.textContent = `${count(found.length, "slide")}${next === null ? "" : " and more"}`;
      const isFiltered = Object.values(filter).some(Boolean);
      fill(list, found.map(row), found.length === 0 && el("li", { class: "none" }, isFiltered ? "No slide is like that." : "No slide was recorded yet."));
    } catch (error) {
      if (signal.aborted || mine !== asked) return;
      more.hidden = true;
      told.textContent = "";
      fill(list, el("li", { class: "none" }, absent(error)));
    }
  };
  const choose = (name, element) => {
    element.value = filter[name];
    element.addEventListener("input", () => {
      filter[name] = element.value;
      ask(PAGE);
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
  fill(main, el("h1", {}, "Slides"), el("section", { class: "card", "aria-label": "Recorded slides" }, filters, told, list, el("p", { class: "buttons" }, more)));
  await ask(PAGE);
  // A field more, or another slide.
  let last = bench.fields.at(-1);
  bench.addEventListener("change", () => bench.connected && last !== bench.fields.at(-1) && ((last = bench.fields.at(-1)), ask(found.length)), { signal });
}

/// Buttons by which a slide is taken elsewhere, and what came of that.
function exports({ id, number }) {
  const told = el("p", { class: "small", role: "status" }, "Images that are saved here do not count as exported: the appliance goes on to keep them.");
  const save = async (format, name) => {
    told.textContent = `Asking for ${name} …`;
    try {
      const response = await request(`/v1/records/export?format=${format}&slide=${encodeURIComponent(id)}`, { signal: AbortSignal.timeout(600_000) });
      const damaged = Number(response.headers.get("damaged-images"));
      download(name, response.headers.get("content-type"), await response.blob());
      told.textContent = damaged > 0 ? `${name} lacks ${count(damaged, "image")} that changed since they were written.` : `${name} is saved.`;
    } catch (error) {
      told.textContent = `Not saved: ${error.message}.`;
    }
  };
  const button = (format, extension, text) => el("button", { type: "button", onclick: () => save(format, `slide-${number}.${extension}`) }, text);
  return [el("p", { class: "buttons" }, button("csv", "csv", "Save as CSV"), button("json", "jsonl", "Save as JSON"), button("zip", "zip", "Save with images (ZIP)")), told];
}

/// What people wrote about a slide, and where to write more.
function notes({ id, notes: written }) {
  const list = el("ol", { class: "notes" });
  const told = el("p", { class: "small", role: "status" });
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
      told.textContent = "The note is written.";
      show();
    } catch (error) {
      told.textContent = `Not written: ${error.message}.`;
    } finally {
      button.disabled = false;
    }
  };
  show();
  return [
    el("h2", {}, "Notes"),
    list,
    el("form", { onsubmit: write }, el("label", { for: "note" }, "Another note"), text, el("p", { class: "small" }, "Notes are part of the records: they cannot be changed or deleted. Name no patients."), el("p", { class: "buttons" }, button)),
    told,
  ];
}

/// A slide with all of its fields.
async function whole(id) {
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

async function one(main, signal, id) {
  const box = el("section", { class: "card", "aria-label": "Slide" }, el("p", { class: "none" }, "Asking …"));
  fill(main, el("p", { class: "back" }, el("a", { href: "#/slides" }, "← All slides")), el("h1", {}, "Slide"), box);
  try {
    const slide = await whole(id);
    if (signal.aborted) return;
    const { fields } = slide;
    main.querySelector("h1").textContent = `${title(slide.number)}, ${moment(slide.started_at)}`;
    const last = fields.at(-1)?.standing;
    const row = (field) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "row", onclick: () => openField(`${title(slide.number)}, field ${field.number}`, field) },
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
        el("div", { class: "line" }, badge(last.verdict), el("span", {}, [last.reason, tally(last)].filter(Boolean).join(" · "))),
        probability(last.probability, fields.at(-1).threshold, last.verdict),
      ],
      exports(slide),
      el("h2", {}, "Fields, and what the slide came to with each"),
      el("ol", { class: "rows" }, fields.map(row)),
      notes(slide),
    );
  } catch (error) {
    if (!signal.aborted) fill(box, absent(error));
  }
}
