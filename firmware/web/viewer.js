// A frame in which a picture is zoomed and moved, with a scale bar.

import { el } from "./dom.js";
import { zoomable } from "./zoom.js";

/// Lengths of the scale bar in µm, and its greatest length in screen pixels.
const LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const BAR = 140;

/// Where a scale is known from.
function origin({ source, red_cells: cells }) {
  if (source === "stated") return "as stated";
  if (source === "calibrated") return cells ? `calibrated by ${cells} red cells of another field` : "calibrated by a stage micrometer";
  return `measured on ${cells} red cells`;
}

/// A frame around a `picture`; `scale` is the size of its pixels, or null. `go` brings a cell into the middle.
export function viewer({ stack, width, height }, scale) {
  const bar = el("span", { class: "ruler" });
  const frame = el("div", { class: "frame", tabIndex: 0, role: "group", "aria-label": "Picture. Plus and minus zoom, shift with arrow keys moves, 0 shows the whole field." }, stack, scale && bar);
  const show = (zoom, left, top) => {
    stack.style.width = `${width * zoom}px`;
    stack.style.transform = `translate(${left}px, ${top}px)`;
    if (scale) {
      const length = LENGTHS.findLast((length) => (length / scale.um_per_pixel) * zoom <= BAR) ?? LENGTHS[0];
      bar.style.width = `${(length / scale.um_per_pixel) * zoom}px`;
      bar.textContent = `${length} µm`;
    }
  };
  const { tools, size, go } = zoomable(frame, { show, isMove: ({ shiftKey }) => shiftKey });
  size(width, height);
  const known = scale ? `${Number(scale.um_per_pixel.toPrecision(3))} µm per pixel, ${origin(scale)}` : "Scale unknown: no scale bar";
  return { element: el("div", { class: "viewer" }, frame, el("div", { class: "tools" }, tools, el("span", { class: "small" }, known))), go };
}
