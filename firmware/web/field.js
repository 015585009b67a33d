// A recorded field: its picture with its cells, the verdict, and the chosen cell.

import { get } from "./api.js";
import { address, callOf, className, label, legend, suspicious, summary } from "./cells.js";
import { rule } from "./count.js";
import { el, fill, moment, percent, rounded } from "./dom.js";
import { gallery } from "./gallery.js";
import { fieldImage, noImage } from "./images.js";
import { isForPage } from "./keys.js";
import { evidence, picture } from "./picture.js";
import { absent, loadSlide, slideTitle } from "./slides.js";
import { viewer } from "./viewer.js";
import { CLOCK, DEMO, badge, facts, probability, quality } from "./verdict.js";

/// Labels and units of the measured figures of a cell.
const FIGURES = {
  nucleus_um: ["Nucleus", " µm"],
  cell_um: ["Cell", " µm"],
  nucleus_to_cell: ["Nucleus to cell", ""],
  roundness: ["Roundness", ""],
  solidity: ["Solidity", ""],
  parts: ["Parts of the nucleus", ""],
  density: ["Density", ""],
  variation: ["Variation of density", ""],
  texture: ["Texture of chromatin", ""],
  cytoplasm: ["Density of cytoplasm", ""],
};
/// Classes that are told of a cell, the likeliest first.
const CLASSES = 3;

/// The slide of the last field that was opened, so that going on to the next one asks for nothing twice.
let known = null;

/// The slide of a field: its title, and the ids and numbers of its fields.
async function slideOf({ id, slide }) {
  const place = known?.id === slide ? known.fields.findIndex((field) => field.id === id) : -1;
  // The last field may have a successor by now.
  if (place >= 0 && place < known.fields.length - 1) return known;
  const loaded = await loadSlide(slide);
  known = { id: slide, title: slideTitle(loaded.number), fields: loaded.fields.map(({ id, number }) => ({ id, number })) };
  return known;
}

/// How a picture was taken, as far as the camera told.
function settings({ mode, colours, exposure_us: exposure, gain, red_gain: red, blue_gain: blue, white_balance_k: kelvin, lens_correction: lens, objective }) {
  const known = [
    objective && `objective ${objective}`,
    mode,
    colours,
    exposure !== null && `${rounded(exposure / 1000)} ms`,
    gain !== null && `gain ${rounded(gain)}`,
    red !== null && `red × ${rounded(red)}`,
    blue !== null && `blue × ${rounded(blue)}`,
    kelvin !== null && `${kelvin} K`,
    lens && `lens correction ${lens}`,
  ];
  return known.filter(Boolean).join(", ");
}

/// A cell in full.
function cellFacts(cell) {
  const { kind, words } = callOf(cell);
  const classes = Object.entries(cell.probabilities ?? {})
    .sort(([, one], [, other]) => other - one)
    .slice(0, CLASSES);
  const figures = Object.entries(cell.figures ?? {}).map(([name, value]) => {
    const [title, unit] = FIGURES[name] ?? [className(name), ""];
    return [title, `${rounded(value)}${unit}`];
  });
  return [
    el("p", {}, el("strong", {}, `Cell ${cell.number}: ${label(cell)}`)),
    el(
      "dl",
      { class: "facts" },
      facts({
        Call: words,
        Again: cell.new === false && "an earlier field of the slide shows it too: counted once",
        Blast: kind !== "artefact" && percent(cell.blast_probability),
        Classes: classes.map(([name, value]) => `${className(name)} ${percent(value)}`).join(", "),
        Diameter: cell.diameter_um && `${rounded(cell.diameter_um)} µm`,
      }),
    ),
    figures.length > 0 && el("details", {}, el("summary", {}, "Measured figures"), el("dl", { class: "facts" }, facts(Object.fromEntries(figures)))),
  ];
}

/// The view of a field; `signal` ends it. The address may name a cell.
export async function field(main, signal, [id, , number]) {
  const title = el("h1", {}, "Field");
  const back = el("p", { class: "back" }, el("a", { href: "#/slides" }, "← All slides"));
  const body = el("div", {}, el("section", { class: "card", "aria-label": "Field" }, el("p", { class: "none" }, "Loading …")));
  fill(main, el("div", { class: "heading" }, title, back), body);
  try {
    const record = await get(`/v1/fields/${encodeURIComponent(id ?? "")}`);
    if (signal.aborted) return;
    title.textContent = `Field ${record.number}`;
    show(body, signal, record, Number(number));
    const slide = await slideOf(record);
    if (!signal.aborted) showPlace(title, back, signal, record, slide);
  } catch (error) {
    if (!signal.aborted) fill(body, el("section", { class: "card", "aria-label": "Field" }, absent(error)));
  }
}

/// Where the field belongs, and the way to its neighbours.
function showPlace(title, back, signal, { id, number, slide: slideId }, slide) {
  const place = slide.fields.findIndex((field) => field.id === id);
  const link = (field, text) => field && el("a", { class: "button quiet", href: address(field.id) }, text(field.number));
  const [before, after] = [slide.fields[place - 1], slide.fields[place + 1]];
  title.textContent = `${slide.title}, field ${number}`;
  fill(
    back,
    el("a", { href: `#/slides/${encodeURIComponent(slideId)}` }, `← ${slide.title}`),
    link(before, (number) => `← Field ${number}`),
    link(after, (number) => `Field ${number} →`),
  );
  document.addEventListener(
    "keydown",
    (event) => {
      const next = { ArrowLeft: before, ArrowRight: after }[event.key];
      if (!next || !isForPage(event)) return;
      event.preventDefault();
      location.hash = address(next.id);
    },
    { signal },
  );
}

function show(body, signal, record, number) {
  const { id, count, scale } = record;
  const cells = record.cells ?? [];
  const order = suspicious(cells);
  const seen = el("div", { class: "picture" }, el("p", { class: "none" }, "Loading the picture …"));
  const chosen = el("div", { "aria-live": "polite" }, el("p", { class: "none" }, "Choose a cell in the picture or below."));
  const all = el("div", {});
  let current = null;
  let view = null;
  let frame = null;

  /// Chooses a cell; `isSought` brings it into the middle of the frame.
  const choose = (cell, isSought) => {
    current = cell;
    fill(chosen, cellFacts(cell));
    view?.select(cell.number);
    if (isSought) frame?.go(cell);
    // No entry in the history for each cell.
    history.replaceState(null, "", address(id, cell.number));
  };
  const link = ({ number }) => address(id, number);

  const load = async () => {
    if (record.images_removed_at) return fill(seen, el("p", { class: "none" }, "The image was removed."));
    try {
      view = await picture(await fieldImage(id), { alt: `The picture of this field. ${count ? summary(cells) : ""}`, cells, link, onchoose: (cell) => choose(cell, false) });
    } catch (error) {
      return fill(seen, el("p", { class: "none" }, noImage(error)));
    }
    if (signal.aborted) return;
    frame = viewer(view, scale);
    fill(seen, frame.element, cells.length > 0 && legend(cells));
    if (current) {
      view.select(current.number);
      frame.go(current);
    }
    if (record.overlay) seen.append(await evidence(id, view.stack));
  };

  const engine = record.engine && `${record.engine.name} ${record.engine.version} on ${record.engine.device}`;
  fill(
    body,
    el(
      "div",
      { class: "field" },
      el(
        "section",
        { class: "card", "aria-label": "Picture" },
        seen,
        el("p", { class: "small keys" }, "Keys: ← → other fields", cells.length > 0 && ", ↑ ↓ cells, most suspicious first", "; in the picture + − zoom, 0 whole field, shift and arrows move."),
      ),
      el(
        "section",
        { class: "card", "aria-labelledby": "field-verdict" },
        el("h2", { id: "field-verdict" }, "This field alone"),
        el("div", { class: "line" }, badge(record.verdict), record.reason && el("span", {}, record.reason)),
        count && [el("p", { class: "count" }, count.words), el("p", { class: "small" }, rule(count.deciding_share, count.fewest_cells, count.min_cells))],
        probability(record.probability, record),
        count && [el("h2", {}, "Cell"), record.cells ? chosen : el("p", { class: "none" }, "The cells of this field were not recorded.")],
      ),
      cells.length > 0 && el("section", { class: "card wide", "aria-labelledby": "field-cells" }, el("h2", { id: "field-cells" }, "Cells of this field, most suspicious first"), all),
      el("section", { class: "card", "aria-labelledby": "field-quality" }, el("h2", { id: "field-quality" }, "Quality"), quality(record.quality)),
      el(
        "section",
        { class: "card", "aria-labelledby": "field-record" },
        el("h2", { id: "field-record" }, "Record"),
        el(
          "dl",
          { class: "facts" },
          facts({
            Captured: moment(record.captured_at),
            Clock: CLOCK[record.clock],
            Source: record.source,
            Camera: record.camera && settings(record.camera),
            Correction: record.camera?.light && `light of ${moment(record.camera.light.made_at)}; the picture above is as the camera delivered it`,
            Model: record.model && `${record.model.name} ${record.model.version}${record.model.demo ? ` (demo: ${DEMO})` : ""}`,
            Engine: engine,
            Record: id,
          }),
        ),
      ),
    ),
  );
  const asked = cells.find((cell) => cell.number === number);
  if (asked) choose(asked, true);
  load();
  if (cells.length > 0 && !record.images_removed_at) {
    const own = cells.map((cell) => ({ ...cell, field: id, um_per_pixel: scale?.um_per_pixel }));
    fill(all, gallery(own, { image: fieldImage, link, signal, onpoint: (cell) => view?.select((cell ?? current)?.number ?? null) }));
    all.addEventListener("click", (event) => {
      const tile = event.target.closest("a.tile");
      const cell = tile && cells.find(({ number }) => tile.getAttribute("href") === address(id, number));
      if (!cell || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose(cell, true);
      seen.scrollIntoView({ block: "nearest" });
    });
  }
  document.addEventListener(
    "keydown",
    (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step || order.length === 0 || !isForPage(event)) return;
      event.preventDefault();
      const place = order.indexOf(current);
      const next = place < 0 ? 0 : (place + step + order.length) % order.length;
      choose(order[next], true);
    },
    { signal },
  );
}
