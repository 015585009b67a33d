// The picture that was judged, and its cells, beside the verdict of the live view.

import { get } from "./api.js";
import { address, legend, summary } from "./cells.js";
import { el, fill } from "./dom.js";
import { gallery } from "./gallery.js";
import { fieldImage, noImage } from "./images.js";
import { evidence, picture } from "./picture.js";
import { fieldNumber } from "./verdict.js";

/// Cells of the gallery; the field's own page has more.
const MOST = 100;

const none = (text) => el("p", { class: "none" }, text);

/// The picture and the gallery as sections of the view. `show` takes a finding, or null and why there is none.
export function judged(signal) {
  const title = el("h2", { id: "judged-title" }, "Judged picture");
  const box = el("div", { class: "judged" });
  const cells = el("div", {});
  const sections = {
    picture: el("section", { class: "card judged-card", "aria-labelledby": "judged-title" }, title, box),
    gallery: el("section", { class: "card gallery-card", "aria-labelledby": "cells-title" }, el("h2", { id: "cells-title" }, "Cells of this picture, most suspicious first"), cells),
  };
  let shown;
  let ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort());

  const show = (finding, reason) => {
    // The same picture need not be loaded again.
    const key = finding ?? reason;
    if (key === shown) return;
    shown = key;
    ending.abort();
    ending = new AbortController();
    fill(cells);
    sections.gallery.hidden = true;
    title.textContent = finding ? `Judged picture: slide ${finding.slide.number}, field ${fieldNumber(finding)}` : "Judged picture";
    if (!finding) fill(box, none(reason));
    else if (!finding.record) fill(box, none("This picture was not recorded, so it cannot be shown."));
    else load(finding, ending.signal);
  };

  const load = async (finding, ended) => {
    const { record } = finding;
    const link = ({ number }) => address(record, number);
    fill(box, none("Loading the picture …"));
    try {
      // Events have no cells.
      const [image, found] = await Promise.all([fieldImage(record), finding.count ? get(`/v1/fields/${encodeURIComponent(record)}`).then(({ cells }) => cells ?? []) : []]);
      const view = await picture(image, { alt: `The judged picture. ${finding.count ? summary(found) : ""}`, cells: found, link });
      if (ended.aborted) return;
      fill(box, view.stack, el("div", { class: "line" }, found.length > 0 && legend(found), el("a", { href: address(record) }, "Enlarge")));
      if (finding.probability !== null) view.stack.after(await evidence(record, view.stack));
      if (ended.aborted || found.length === 0) return;
      sections.gallery.hidden = false;
      const own = found.map((cell) => ({ ...cell, field: record, um_per_pixel: finding.scale?.um_per_pixel }));
      fill(cells, gallery(own, { image: fieldImage, link, onpoint: (cell) => view.select(cell?.number ?? null), signal: ended, limit: MOST }));
    } catch (error) {
      if (!ended.aborted) fill(box, none(noImage(error)));
    }
  };
  return { ...sections, show };
}
