// A picture that is zoomed and moved in its frame: by wheel, pointers, keys and buttons.

import { el } from "./dom.js";

/// Largest zoom, in screen pixels for a pixel of the picture.
const MOST = 8;
/// Zoom of a step.
const STEP = 1.5;
/// Share of the frame's height that a cell has when the frame goes to it.
const CELL = 0.2;
/// Movement in screen pixels from which on a press is a drag and no click.
const SLACK = 5;

/// Lets the picture of a `frame` be zoomed and moved. `show` puts it at its place: screen pixels for a pixel of the picture, and
/// the picture's corner in the frame. Arrow keys move it if `isMove` says so of their event. `sent` is the greatest width in
/// pixels of what is shown of it.
///
/// `size` sets width and height in pixels, `go` brings a cell into the middle, `at` and `toPicture` are coordinates of an event in
/// the frame and of a point of the frame in the picture, and `region` is what is in sight: column, row, width and height in
/// pixels, or null if all of it is.
export function zoomable(frame, { show, isMove = () => true, sent = Infinity }) {
  const said = el("span", { class: "small zoom" });
  const button = (text, name, onclick) => el("button", { type: "button", class: "quiet", "aria-label": name, title: name, onclick }, text);
  const tools = [
    button("−", "Zoom out", () => zoomBy(1 / STEP)),
    button("+", "Zoom in", () => zoomBy(STEP)),
    button("Whole field", "Whole field", () => whole()),
    button("1:1", "1:1, full resolution", () => zoomBy(Math.max(1 / devicePixelRatio, frame.clientWidth / sent) / zoom)),
    said,
  ];

  let [width, height] = [1, 1];
  let [zoom, left, top] = [0, 0, 0];
  let isWhole = true;
  let target = null;
  const fit = () => Math.min(frame.clientWidth / width, frame.clientHeight / height);
  /// Keeps the picture in the frame: in its middle, if it is smaller.
  const inside = (place, length, room) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, place)));
  const place = () => {
    left = inside(left, width * zoom, frame.clientWidth);
    top = inside(top, height * zoom, frame.clientHeight);
    frame.classList.toggle("whole", isWhole);
    said.textContent = `${Math.round(zoom * devicePixelRatio * 100)} %`;
    show(zoom, left, top);
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
  const size = (newWidth, newHeight) => {
    if (width === newWidth && height === newHeight) return;
    [width, height] = [newWidth, newHeight];
    frame.style.setProperty("--ratio", width / height);
    whole();
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
  // Browsers drag images to other programs.
  frame.addEventListener("dragstart", (event) => event.preventDefault());
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
    if (moves[event.key] && isMove(event)) move(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") zoomBy(STEP);
    else if (event.key === "-") zoomBy(1 / STEP);
    else if (event.key === "0") whole();
    else return;
    event.preventDefault();
  });

  const toPicture = ([x, y]) => [Math.min(Math.max((x - left) / zoom, 0), width), Math.min(Math.max((y - top) / zoom, 0), height)];
  let inSight = null;
  const region = () => {
    if (isWhole) return null;
    // While other words are shown in its place, the frame has no size.
    if (frame.clientWidth === 0) return inSight;
    const [x, y] = toPicture([0, 0]).map(Math.floor);
    const [right, bottom] = toPicture([frame.clientWidth, frame.clientHeight]).map(Math.ceil);
    // The rim of a part of a pixel is left out where the picture would be reduced for it.
    const most = (length, room) => (room / zoom <= sent ? Math.min(length, sent) : length);
    inSight = [x, y, most(right - x, frame.clientWidth), most(bottom - y, frame.clientHeight)];
    return inSight;
  };
  return { tools, size, whole, go, at, toPicture, region };
}
