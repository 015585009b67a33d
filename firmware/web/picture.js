// The picture of a field with its cells marked, or with the evidence over it.

import { image } from "./api.js";
import { callOf, label } from "./cells.js";
import { el } from "./dom.js";

/// Cells that are marked in a picture, the surest finds first.
const MOST = 400;
/// Diameter of a mark in diameters of its cell: the line should not cover the cell's edge.
const ROOM = 1.25;

/// A picture from an encoded image. `link` gives a cell's address, or null; `onchoose` is called with the cell that was
/// clicked, instead of opening its address. Fails if the browser cannot decode the image.
///
/// The marks are hidden from screen readers and the tab key: the gallery beside a picture has the same cells.
export async function picture(blob, { alt, cells = [], link = () => null, onchoose }) {
  const img = el("img", { alt });
  img.src = URL.createObjectURL(blob);
  try {
    await img.decode();
  } catch {
    throw new Error("this browser cannot show images of this kind");
  } finally {
    // The element has the image now.
    URL.revokeObjectURL(img.src);
  }
  const { naturalWidth: width, naturalHeight: height } = img;
  const marks = new Map(cells.slice(0, MOST).map((cell) => [cell.number, mark(cell, width, height, link(cell), onchoose)]));
  const layer = el("div", { class: "marks", "aria-hidden": "true" }, [...marks.values()]);
  const stack = el("div", { class: "stack" }, img, layer);
  stack.style.setProperty("--ratio", width / height);
  let selected = null;
  /// Shows the label of a cell, given by its number; of none if null.
  const select = (number) => {
    selected?.classList.remove("selected");
    selected = marks.get(number) ?? null;
    selected?.classList.add("selected");
  };
  return { stack, width, height, select };
}

/// The mark of a cell.
function mark(cell, width, height, href, onchoose) {
  const { kind, sign } = callOf(cell);
  const isOld = cell.new === false;
  const [x, y] = [cell.x / width, cell.y / height];
  // Labels stay inside the picture.
  const sides = [y < 0.15 && "below", x < 0.3 && "rightward", x > 0.7 && "leftward"].filter(Boolean);
  const element = el(
    "a",
    { class: ["mark", kind, isOld && "old", ...sides].filter(Boolean).join(" "), href, tabIndex: -1 },
    sign && el("span", { class: "sign" }, sign),
    el("span", { class: "tag" }, `${cell.number}: ${label(cell)}${isOld ? ", counted in an earlier field" : ""}`),
  );
  Object.assign(element.style, { left: `${x * 100}%`, top: `${y * 100}%`, width: `${((ROOM * cell.diameter) / width) * 100}%` });
  if (onchoose)
    element.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onchoose(cell);
    });
  return element;
}

/// Lays the evidence over the picture of a recorded field. Returns the slider that sets its strength, or the reason why there
/// is none.
export async function evidence(record, stack) {
  let url;
  try {
    url = await image(`/v1/fields/${encodeURIComponent(record)}/overlay`);
  } catch (error) {
    return el("p", { class: "small" }, error.status === 404 ? "No evidence overlay for this field." : `Cannot show the evidence: ${error.message}.`);
  }
  const above = el("img", { alt: "Evidence for leukemia (red) and against it (blue)", class: "above", draggable: false });
  above.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
  above.src = url;
  stack.append(above);
  const slider = el("input", { type: "range", min: 0, max: 100, value: 50, id: `slider-${record}` });
  const show = () => {
    above.style.opacity = slider.value / 100;
    slider.setAttribute("aria-valuetext", `${slider.value} %`);
  };
  slider.addEventListener("input", show);
  show();
  return el(
    "div",
    { class: "evidence" },
    el("label", { for: slider.id }, "Evidence overlay"),
    slider,
    el("p", { class: "small" }, "Red: evidence for leukemia; blue: against it. The ring marks the strongest evidence."),
  );
}
