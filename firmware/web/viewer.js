// A frame in which a picture is zoomed and moved, with a scale bar.

import { el } from "./dom.js";

/// Largest zoom, in screen pixels for a pixel of the picture.
const MOST = 8;
/// Zoom of a step.
const STEP = 1.5;
/// Share of the frame's height that a cell has when the frame goes to it.
const CELL = 0.2;
/// Movement in screen pixels from which on a press is a drag and no click.
const SLACK = 5;
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
  const said = el("span", { class: "small zoom" });
  const button = (text, name, onclick) => el("button", { type: "button", class: "quiet", "aria-label": name, title: name, onclick }, text);
  const tools = el(
    "div",
    { class: "tools" },
    button("−", "Zoom out", () => zoomBy(1 / STEP)),
    button("+", "Zoom in", () => zoomBy(STEP)),
    button("Whole field", "Whole field", () => whole()),
    button("1:1", "1:1, full resolution", () => zoomBy(1 / devicePixelRatio / zoom)),
    said,
    el("span", { class: "small" }, scale ? `${Number(scale.um_per_pixel.toPrecision(3))} µm per pixel, ${origin(scale)}` : "Scale unknown: no scale bar"),
  );
  frame.style.setProperty("--ratio", width / height);

  /// Screen pixels for a pixel of the picture, and the place of the picture's corner in the frame.
  let [zoom, left, top] = [0, 0, 0];
  let isWhole = true;
  let target = null;
  const fit = () => Math.min(frame.clientWidth / width, frame.clientHeight / height);
  /// Keeps the picture in the frame: in its middle, if it is smaller.
  const inside = (place, length, room) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, place)));
  const place = () => {
    left = inside(left, width * zoom, frame.clientWidth);
    top = inside(top, height * zoom, frame.clientHeight);
    stack.style.width = `${width * zoom}px`;
    stack.style.transform = `translate(${left}px, ${top}px)`;
    frame.classList.toggle("whole", isWhole);
    said.textContent = `${Math.round(zoom * devicePixelRatio * 100)} %`;
    if (scale) {
      const length = LENGTHS.findLast((length) => (length / scale.um_per_pixel) * zoom <= BAR) ?? LENGTHS[0];
      bar.style.width = `${(length / scale.um_per_pixel) * zoom}px`;
      bar.textContent = `${length} µm`;
    }
  };
  const whole = () => {
    isWhole = true;
    zoom = fit();
    place();
  };
  /// Zooms, and keeps the point of the picture at these coordinates of the frame where it is.
  const zoomBy = (factor, x = frame.clientWidth / 2, y = frame.clientHeight / 2) => {
    // Small pictures are larger than 1:1 when they fill the frame.
    const least = Math.min(fit(), 1 / devicePixelRatio);
    const next = Math.min(Math.max(zoom * factor, least), Math.max(MOST, least));
    left = x - ((x - left) / zoom) * next;
    top = y - ((y - top) / zoom) * next;
    zoom = next;
    isWhole = zoom <= fit();
    place();
  };
  const move = (x, y) => {
    left += x;
    top += y;
    place();
  };
  const go = (cell) => {
    // Before its first layout, the frame has no size.
    if (zoom === 0) {
      target = cell;
      return;
    }
    zoomBy(Math.max(1, (CELL * frame.clientHeight) / cell.diameter / zoom));
    left = frame.clientWidth / 2 - cell.x * zoom;
    top = frame.clientHeight / 2 - cell.y * zoom;
    place();
  };

  new ResizeObserver(() => {
    if (isWhole || zoom < fit()) whole();
    else place();
    if (target && zoom > 0) {
      go(target);
      target = null;
    }
  }).observe(frame);

  const at = (event) => {
    const box = frame.getBoundingClientRect();
    return [event.clientX - box.left - frame.clientLeft, event.clientY - box.top - frame.clientTop];
  };
  frame.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // Lines in some browsers, pixels in others.
      const way = event.deltaMode === 0 ? event.deltaY : event.deltaY * 30;
      zoomBy(2 ** (-way / 300), ...at(event));
    },
    { passive: false },
  );
  frame.addEventListener("dblclick", (event) => (zoom >= MOST ? whole() : zoomBy(2, ...at(event))));

  // One pointer moves the picture, two pinch it.
  const pointers = new Map();
  let moved = 0;
  const span = () => {
    const [one, other] = [...pointers.values()];
    return [Math.hypot(one[0] - other[0], one[1] - other[1]), (one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (pointers.size === 0) moved = 0;
    pointers.set(event.pointerId, at(event));
  });
  frame.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    if (pointers.size === 1) {
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      pointers.set(event.pointerId, now);
      move(now[0] - before[0], now[1] - before[1]);
    } else {
      moved = Infinity;
      const [wide, x, y] = span();
      pointers.set(event.pointerId, now);
      const [wider, newX, newY] = span();
      move(newX - x, newY - y);
      zoomBy(wider / Math.max(wide, 1), newX, newY);
    }
    // A captured pointer clicks no mark, so not before the press is a drag.
    if (moved > SLACK && !frame.hasPointerCapture(event.pointerId)) frame.setPointerCapture(event.pointerId);
  });
  for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, (event) => pointers.delete(event.pointerId));
  frame.addEventListener("click", (event) => moved > SLACK && (event.preventDefault(), event.stopPropagation()), { capture: true });
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const far = frame.clientWidth / 5;
    const moves = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
    if (event.shiftKey && moves[event.key]) move(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") zoomBy(STEP);
    else if (event.key === "-") zoomBy(1 / STEP);
    else if (event.key === "0") whole();
    else return;
    event.preventDefault();
  });
  return { element: el("div", { class: "viewer" }, frame, tools), go };
}
