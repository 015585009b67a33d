// The live picture in a frame in which it is zoomed and moved. The appliance sends what is in sight, at full resolution.

import { snapshot } from "./api.js";
import { bench } from "./bench.js";
import { el, fill, sleep } from "./dom.js";
import { paint } from "./peaking.js";
import { zoomable } from "./zoom.js";

/// Milliseconds between two live pictures.
const PREVIEW = 250;
/// Longer side of what the appliance sends, in pixels.
const SENT = 800;
const KEYS = "Plus and minus zoom, arrow keys move, 0 shows the whole field.";

/// A `box` with the live picture, or why there is none, in its `frame`, and the `tools` that zoom it and show what is sharp.
/// `onseen` is called with the quality figures of each picture, null if there is none, and `onplace` with the screen pixels for a
/// pixel of the picture and with the picture's corner in the frame; `size` gives width and height of a whole picture. `keys` says what more keys do. `signal` ends it.
export function finder(signal, { onseen = () => {}, onplace = () => {}, keys = "" }) {
  const peaks = el("canvas", { "aria-hidden": "true", hidden: true });
  const seen = el("div", { class: "stack" });
  const frame = el("div", { class: "frame", tabIndex: 0, role: "group", "aria-label": `Live picture. ${KEYS} ${keys}`.trim() }, seen);
  const box = el("div", { class: "preview" });
  const detail = el("span", { class: "small" });
  const toggle = el("input", { type: "checkbox", onchange: () => peak() });
  let image = null;
  /// The region that the image shows: column, row, width and height.
  let shown = null;
  /// Width and height of a whole picture.
  let whole = null;
  const zoom = zoomable(frame, { show: (factor, left, top) => place(factor, left, top), sent: SENT });
  const tools = el("div", { class: "tools" }, zoom.tools, detail, el("label", { class: "check small" }, toggle, "Focus peaking"));
  let [factor, left, top] = [0, 0, 0];

  function place(...placed) {
    [factor, left, top] = placed;
    if (shown) {
      const [x, y, width, height] = shown;
      Object.assign(seen.style, { width: `${width * factor}px`, height: `${height * factor}px`, transform: `translate(${left + x * factor}px, ${top + y * factor}px)` });
    }
    onplace(factor, left, top);
  }
  function peak() {
    peaks.hidden = !toggle.checked;
    if (toggle.checked && image) paint(peaks, image);
  }
  const showText = (text) => {
    fill(box, el("p", { class: "none" }, text));
    onseen(null);
  };
  const showPicture = async ({ url, quality, size }, region) => {
    const next = el("img", { alt: "Live picture of the microscope", src: url });
    try {
      await next.decode();
    } finally {
      // The element has the picture now.
      URL.revokeObjectURL(url);
    }
    image = next;
    fill(seen, image, peaks);
    peak();
    if (!frame.parentElement) fill(box, frame);
    shown = region ?? [0, 0, ...size];
    whole = size;
    zoom.size(...size);
    place(factor, left, top);
    detail.textContent = image.naturalWidth >= shown[2] ? "full resolution" : "reduced";
    onseen(quality);
  };
  const watch = async () => {
    showText("Waiting for the live picture …");
    while (!signal.aborted) {
      if (bench.state?.name === "off") {
        showText(`No live picture: the appliance is ${bench.state.message}.`);
      } else if (!bench.connected) {
        showText("No live picture: not connected.");
      } else if (!document.hidden) {
        try {
          const region = zoom.region();
          // The camera may be busy with a capture.
          await showPicture(await snapshot(region, { signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) }), region);
        } catch (error) {
          if (signal.aborted) break;
          // The pictures of the camera have another size now.
          if (error.status === 400) zoom.whole();
          showText(`No live picture: ${error.message}.`);
          await sleep((error.retryAfter ?? 1) * 1000);
        }
      }
      await sleep(PREVIEW);
    }
  };
  watch();
  return { box, frame, tools, zoom, size: () => whole };
}
