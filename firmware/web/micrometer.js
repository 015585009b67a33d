// The scale by a stage micrometer: two points of the live picture, and their distance.

import { post } from "./api.js";
import { bad, el, fill, rounded } from "./dom.js";
import { finder } from "./finder.js";

/// The longest possible capture; the appliance usually reports a failure earlier.
const PATIENCE = 180_000;
/// Movement of a point by an arrow key in screen pixels, and with the shift key.
const NUDGE = 1;
const FAR = 10;

/// Opens a dialog in `main` that measures the scale. `onmeasured` gets the new calibration; `signal` closes it.
export function micrometer(main, signal, onmeasured) {
  const ending = new AbortController();
  const { box, frame, tools, zoom, size } = finder(AbortSignal.any([signal, ending.signal]), { onplace: (...placed) => place(...placed), keys: "Enter puts a point in the middle." });
  box.classList.add("large");
  /// Column and row in pixels of a whole picture, the size of that picture, and the element that shows the point.
  const points = [];
  const line = el("div", { class: "span", hidden: true });
  const distance = el("p", { class: "small", role: "status" });
  const answer = el("p", { role: "alert" });
  const um = el("input", { id: "um", type: "number", min: 0, step: "any", required: true, oninput: () => show() });
  const measure = el("button", { type: "submit", class: "primary", disabled: true }, "Measure");
  const close = el("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = el("form", { class: "distance" }, el("label", { for: "um" }, "Distance of the points in µm"), um, el("div", { class: "buttons" }, measure, close));
  const dialog = el(
    "dialog",
    { class: "micrometer", "aria-labelledby": "micrometer-title" },
    el("h2", { id: "micrometer-title" }, "Scale by a stage micrometer"),
    el("p", { class: "small" }, "Focus on the stage micrometer. Click on two of its lines, far apart. Then zoom in and drag the points, or move them with the arrow keys, until they are exact."),
    box,
    tools,
    distance,
    form,
    answer,
  );
  let [factor, left, top] = [0, 0, 0];
  let busy = false;

  function place(...placed) {
    [factor, left, top] = placed;
    const [from, to] = points.map(({ at: [x, y], pin }) => {
      const [across, down] = [left + x * factor, top + y * factor];
      Object.assign(pin.style, { left: `${across}px`, top: `${down}px` });
      return [across, down];
    });
    line.hidden = !to;
    if (to) Object.assign(line.style, { left: `${from[0]}px`, top: `${from[1]}px`, width: `${Math.hypot(to[0] - from[0], to[1] - from[1])}px`, rotate: `${Math.atan2(to[1] - from[1], to[0] - from[0])}rad` });
  }
  function show() {
    points.forEach(({ at: [x, y], pin }, index) => pin.setAttribute("aria-label", `Point ${index + 1}: column ${x.toFixed(1)}, row ${y.toFixed(1)}. Arrow keys move it.`));
    const [from, to] = points;
    measure.disabled = busy || !to;
    close.disabled = busy;
    const pixels = to && Math.hypot(to.at[0] - from.at[0], to.at[1] - from.at[1]);
    const scale = pixels > 0 && um.valueAsNumber > 0 && `: ${rounded(um.valueAsNumber / pixels)} µm per pixel`;
    distance.textContent = to ? `${pixels.toFixed(1)} pixels apart${scale || ""}` : `Click on the ${from ? "second" : "first"} line.`;
    place(factor, left, top);
  }
  /// Adds a point; once there are two, moves the nearer one. The place is in screen pixels of the frame.
  const put = (place) => {
    const at = zoom.toPicture(place);
    const far = (point) => Math.hypot(point.at[0] - at[0], point.at[1] - at[1]);
    if (points.length < 2) points.push({ at, of: size(), pin: pin(points.length) });
    else points.toSorted((one, other) => far(one) - far(other))[0].at = at;
    frame.append(line, ...points.map((point) => point.pin));
    show();
  };
  /// Moves a point by screen pixels.
  const move = (index, x, y) => {
    const [column, row] = points[index].at;
    points[index].at = zoom.toPicture([left + column * factor + x, top + row * factor + y]);
    show();
  };

  function pin(index) {
    let last = null;
    const drag = (event) => {
      event.stopPropagation();
      if (!last) return;
      move(index, event.clientX - last[0], event.clientY - last[1]);
      last = [event.clientX, event.clientY];
    };
    return el("button", {
      type: "button",
      class: "pin",
      onpointerdown: (event) => {
        event.stopPropagation();
        event.target.setPointerCapture(event.pointerId);
        last = [event.clientX, event.clientY];
      },
      onpointermove: drag,
      onpointerup: drag,
      onlostpointercapture: () => (last = null),
      // A point that the tab key reaches may be out of sight.
      onfocus: (event) => event.target.matches(":focus-visible") && zoom.go({ x: points[index].at[0], y: points[index].at[1], diameter: Infinity }),
      onclick: (event) => event.stopPropagation(),
      ondblclick: (event) => event.stopPropagation(),
      onkeydown: (event) => {
        const far = event.shiftKey ? FAR : NUDGE;
        const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
        if (!moves[event.key]) return;
        event.preventDefault();
        event.stopPropagation();
        move(index, ...moves[event.key]);
      },
    });
  }

  // The second click of a double click zooms.
  frame.addEventListener("click", (event) => event.detail < 2 && put(zoom.at(event)));
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === frame) put([frame.clientWidth / 2, frame.clientHeight / 2]);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [from, to] = points.map(({ at }) => at);
    busy = true;
    show();
    fill(answer, "Taking a picture …");
    try {
      const body = JSON.stringify({ from, to, um: um.valueAsNumber, size: points[0].of });
      const found = await post("/v1/calibration/scale", { body, headers: { "Content-Type": "application/json" }, signal: AbortSignal.any([ending.signal, AbortSignal.timeout(PATIENCE)]) });
      onmeasured(found);
      dialog.close();
    } catch (error) {
      if (ending.signal.aborted) return;
      fill(answer, bad(error.message));
      busy = false;
      show();
    }
  });
  // Closing it would not end the measurement.
  dialog.addEventListener("cancel", (event) => busy && event.preventDefault());
  dialog.addEventListener("close", () => {
    ending.abort();
    dialog.remove();
  });
  signal.addEventListener("abort", () => dialog.close(), { signal: ending.signal });
  main.append(dialog);
  dialog.showModal();
  show();
}
