// A gallery of cells, cut out of the images of their fields.

import { callOf, className, suspicious } from "./cells.js";
import { count, el, percent } from "./dom.js";
import { canvas, cut, noImage } from "./images.js";

/// Cells of a gallery.
export const MOST = 300;
/// How far below the screen images are loaded already.
const MARGIN = "200px";

/// The heading of a cell's group.
const groupOf = (cell) => ({ unclear: "unclear", artefact: "not leukocytes" })[callOf(cell).kind] ?? className(cell.class);

/// Cells by class, the class with the most suspicious cell first. Cells have the id of their `field` and its
/// `um_per_pixel`. `image` gives the encoded image of a field, `link` the address of a cell or null; `onchoose` is called with
/// the cell that was clicked where there is no address, and `onpoint` with the cell that is pointed at, or null.
export function gallery(cells, { image, link = () => null, onchoose, onpoint, signal, limit = MOST }) {
  const shown = suspicious(cells).slice(0, limit);
  if (shown.length === 0) return el("p", { class: "none" }, "No cells.");
  const problem = el("p", { class: "small", role: "status" });
  const tiles = new Map(shown.map((cell) => [cell, tile(cell, link(cell), onchoose, onpoint)]));
  const groups = [...Map.groupBy(shown, groupOf)].map(([name, members]) =>
    el("section", { class: "group" }, el("h3", {}, `${name} `, el("small", {}, String(members.length))), el("ul", { class: "tiles" }, members.map((cell) => el("li", {}, tiles.get(cell).element)))),
  );
  const ofField = Map.groupBy(shown, ({ field }) => field);
  const waiting = new Set(ofField.keys());
  const fieldOf = new Map(shown.map((cell) => [tiles.get(cell).element, cell.field]));

  /// Cuts all cells of a field at once, so that its image is requested and decoded once.
  const load = async (field) => {
    const members = ofField.get(field);
    try {
      await cut(
        await image(field),
        members.map((cell) => [cell, tiles.get(cell).canvas]),
      );
    } catch (error) {
      members.forEach((cell) => tiles.get(cell).element.classList.add("gone"));
      problem.textContent = noImage(error);
    }
  };
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        const field = fieldOf.get(target);
        if (!isIntersecting || !waiting.delete(field)) continue;
        ofField.get(field).forEach((cell) => observer.unobserve(tiles.get(cell).element));
        queue(() => load(field));
      }
    },
    { rootMargin: MARGIN },
  );
  // One image at a time.
  let last = Promise.resolve();
  const queue = (work) => {
    last = last.then(() => signal.aborted || work());
  };
  signal.addEventListener("abort", () => observer.disconnect());
  tiles.forEach(({ element }) => observer.observe(element));
  const left = cells.length - shown.length;
  return el("div", { class: "gallery" }, groups, left > 0 && el("p", { class: "small" }, `${count(left, "less suspicious cell")} not shown.`), problem);
}

/// A cell in the gallery.
function tile(cell, href, onchoose, onpoint) {
  const { kind, sign, words } = callOf(cell);
  const picture = canvas();
  const blast = `blast ${percent(cell.blast_probability)}`;
  const name = [`Cell ${cell.number}`, cell.field_number && `of field ${cell.field_number}`, `${className(cell.class)},`, `${blast},`, words].filter(Boolean).join(" ");
  const element = el(
    href ? "a" : "button",
    { class: `tile ${kind}`, href, type: href ? null : "button", "aria-label": name, title: name },
    picture,
    el("span", { class: "chance" }, sign && el("span", { class: "sign" }, sign), kind === "artefact" ? "" : percent(cell.blast_probability)),
  );
  if (!href && onchoose) element.addEventListener("click", () => onchoose(cell));
  if (onpoint) {
    for (const start of ["pointerenter", "focus"]) element.addEventListener(start, () => onpoint(cell));
    for (const end of ["pointerleave", "blur"]) element.addEventListener(end, () => onpoint(null));
  }
  return { element, canvas: picture };
}
