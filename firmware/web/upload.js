// The upload view: chosen images, results, the cells of an image, and the agreement with labels in file names.

import { legend, summary } from "./cells.js";
import { rule } from "./count.js";
import { count, download, el, fill, percent } from "./dom.js";
import { gallery } from "./gallery.js";
import { picture } from "./picture.js";
import { uploads } from "./uploads.js";
import { badge } from "./verdict.js";
import { viewer } from "./viewer.js";

/// Extensions of image files in a folder, as `smearscope classify` selects them.
const EXTENSIONS = ["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "tif", "tiff"];
const IMAGE = new RegExp(`\\.(${EXTENSIONS.join("|")})$`, "i");

/// Files of a kind that are named when they are passed over.
const NAMED = 5;

/// Rows of a page of the table: browsers lay out a whole table after each change.
const PAGE = 200;

/// The label in a file name of ALL-IDB: `Im001_1.jpg` is ALL, `Im035_0.jpg` healthy; null in all others.
export function label(name) {
  const [, end] = /(?:^|\/)im\d+_([01])(?:\.[^./]*)?$/i.exec(name) ?? [];
  return { 1: true, 0: false }[end] ?? null;
}

/// `TP`, `FP`, `TN` or `FN`; empty without a label or a verdict.
export function outcome(name, verdict) {
  const isIll = label(name);
  if (isIll === null || !["Positive", "Negative"].includes(verdict)) return "";
  if (verdict === "Positive") return isIll ? "TP" : "FP";
  return isIll ? "FN" : "TN";
}

/// Counts over the finished files.
class Counts {
  finished = 0;
  errors = 0;
  labelled = 0;
  unsure = 0;
  Positive = 0;
  Negative = 0;
  Inconclusive = 0;
  TP = 0;
  FP = 0;
  TN = 0;
  FN = 0;

  /// Counts a finished file.
  add({ name, result, error }) {
    this.finished += 1;
    if (error) this.errors += 1;
    if (!result) return;
    this[result.verdict] += 1;
    if (label(name) === null) return;
    this.labelled += 1;
    this[outcome(name, result.verdict) || "unsure"] += 1;
  }
}

/// A share with its 95 % interval (Wilson).
function share(part, all) {
  if (all === 0) return "–";
  const [p, z] = [part / all, 1.96];
  const middle = (p + (z * z) / (2 * all)) / (1 + (z * z) / all);
  const half = ((z * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all))) / (1 + (z * z) / all));
  const whole = (value) => Math.round(Math.min(Math.max(value, 0), 1) * 100);
  return `${part} of ${all}, ${whole(p)} % (${whole(middle - half)}–${whole(middle + half)} %)`;
}

/// A CSV cell; text that a spreadsheet would read as a formula is escaped.
function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/// The results as CSV.
export function csv(items) {
  const head = ["file", "label", "verdict", "probability", "threshold", "inconclusive_from", "inconclusive_to", "outcome", "reason", "hint", "model", "demo", "engine", "device", "elapsed_ms", "error", "cells", "blasts", "unclear", "share", "share_from", "share_to", "um_per_pixel"];
  const rows = items.filter(({ result, error }) => result || error).map(({ name, result, error }) => {
    const isIll = label(name);
    const { verdict, probability, threshold, inconclusive_band: band, reason, hint, model, demo, engine, device, elapsed_ms: elapsed, count, scale } = result ?? {};
    return [name, isIll === null ? "" : Number(isIll), verdict, probability, threshold, band?.[0], band?.[1], result ? outcome(name, verdict) : "", reason, hint, model, demo, engine, device, elapsed, error, count?.cells, count?.blasts, count?.unclear, count?.share, count?.interval[0], count?.interval[1], scale?.um_per_pixel];
  });
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/// Why a file in a folder is not sent.
const NO_IMAGE = "not an image by its name";

/// Separates the files of a folder, as `{name, file}`, into images and others.
function separated(found) {
  const isImage = ({ name }) => IMAGE.test(name);
  return [found.filter(isImage), found.filter((file) => !isImage(file)).map(({ name }) => ({ name, why: NO_IMAGE }))];
}

/// The dropped files, including those in folders, and those that are not sent.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [[...transfer.files].map((file) => ({ name: file.name, file })), []];
  const [single, inFolders, omitted] = [[], [], []];
  const walk = async (entry, found) => {
    const name = entry.fullPath.replace(/^\//, "");
    try {
      if (entry.isFile) {
        found.push({ name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
        return;
      }
      const reader = entry.createReader();
      for (;;) {
        // A reader returns up to 100 entries per call, and none at the end.
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (some.length === 0) return;
        for (const child of some) await walk(child, inFolders);
      }
    } catch (error) {
      omitted.push({ name, why: `cannot be read (${error.message})` });
    }
  };
  for (const entry of entries) await walk(entry, single);
  const [images, others] = separated(inFolders);
  return [[...single, ...images].sort((one, other) => (one.name < other.name ? -1 : 1)), [...omitted, ...others]];
}

/// The files that are not sent, in words; empty if there are none.
function omittedText(omitted) {
  if (omitted.length === 0) return "";
  const groups = Map.groupBy(omitted, ({ why }) => why);
  const names = (files) => files.slice(0, NAMED).map(({ name }) => name).join(", ") + (files.length > NAMED ? ", …" : "");
  const parts = [...groups].map(([why, files]) => `${files.length} ${why}: ${names(files)}`);
  return `${count(omitted.length, "file")} passed over. ${parts.join("; ")}.`;
}

/// Where the size of a pixel is remembered for this tab.
const SCALE = "um_per_pixel";

/// An uploaded image with its cells marked, from the file that was chosen.
async function detail(box, signal, { name, file, result, cells }) {
  const close = el("button", { type: "button", class: "quiet", onclick: () => fill(box) }, "Close");
  const seen = el("div", { class: "picture" }, el("p", { class: "none" }, "Loading the picture …"));
  const all = el("div", {});
  const heading = el("h3", { tabIndex: -1 }, name);
  fill(box, el("div", { class: "detail" }, el("div", { class: "dialog-head" }, heading, close), el("div", { class: "line" }, badge(result.verdict), el("span", { class: "count" }, result.count?.words)), seen, el("p", { class: "small" }, result.count && rule(result.count.deciding_share, result.count.fewest_cells, result.count.min_cells)), all));
  heading.focus();
  if (!cells) return fill(seen, el("p", { class: "none" }, "The cells of this image are no longer held. Choose it again to see them."));
  try {
    const view = await picture(file, { alt: `${name}. ${summary(cells)}`, cells, onchoose: ({ number }) => view.select(number) });
    if (signal.aborted) return;
    const frame = viewer(view, result.scale);
    fill(seen, frame.element, legend(cells));
    const choose = (cell) => {
      view.select(cell.number);
      frame.go(cell);
      seen.scrollIntoView({ block: "nearest" });
    };
    fill(all, gallery(cells.map((cell) => ({ ...cell, um_per_pixel: result.scale?.um_per_pixel })), { image: async () => file, onchoose: choose, signal }));
  } catch (error) {
    fill(seen, el("p", { class: "none" }, `Cannot show the image: ${error.message}.`));
  }
}

/// The view; `signal` ends it.
export function upload(main, signal) {
  const files = el("input", { type: "file", multiple: true, accept: `${EXTENSIONS.map((extension) => `.${extension}`)},image/*`, id: "files", class: "unseen" });
  const folder = el("input", { type: "file", webkitdirectory: true, id: "folder", class: "unseen" });
  // What was to be stored before the page was loaded again should not be sent without it.
  const keep = el("input", { type: "checkbox", id: "keep", checked: uploads.isLostKept });
  const scale = el("input", { type: "number", id: "scale", min: 0.005, max: 10, step: "any", inputMode: "decimal", value: sessionStorage.getItem(SCALE) ?? "", "aria-describedby": "scale-hint" });
  const omitted = el("p", { class: "small", "aria-live": "polite" });
  const zone = el(
    "div",
    { class: "card drop" },
    el("p", {}, "Drop images or a folder here, or"),
    el("p", { class: "buttons" }, files, el("label", { for: "files", class: "button primary" }, "Choose images"), folder, el("label", { for: "folder", class: "button" }, "Choose a folder")),
    el("p", { class: "small" }, "JPEG, PNG, TIFF or BMP. Files named like those of ALL-IDB, Im001_1.jpg (leukemia) or Im035_0.jpg (healthy), are compared with the verdict. Uploaded images do not count towards the slide under the microscope and are stored only if you choose so."),
    el("p", { class: "check" }, keep, el("label", { for: "keep" }, "Store images and verdicts in the records, with their file names")),
    el("p", { class: "check" }, el("label", { for: "scale" }, "Size of a pixel in µm"), scale),
    el("p", { class: "small", id: "scale-hint" }, "Of the images, such as 0.15. Cells are measured with it. Leave it empty if it is not known."),
    omitted,
  );
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Files done" });
  const done = el("p", { role: "status", class: "small" });
  const buttons = el("p", { class: "buttons" });
  const sums = el("div", {});
  const chosen = el("div", {});
  const pages = el("p", { class: "buttons" });
  // Explicit roles: narrow screens show rows as cards, and browsers then drop the implicit table roles.
  const body = el("tbody", { role: "rowgroup" });
  const results = el(
    "section",
    { class: "card", "aria-labelledby": "results-title" },
    el("h2", { id: "results-title" }, "Results"),
    bar,
    done,
    buttons,
    sums,
    chosen,
    el(
      "div",
      { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of results" },
      el(
        "table",
        { class: "results", role: "table" },
        el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ["File", "Label", "Verdict", "Result", "Outcome", "Reason and remedy"].map((name) => el("th", { scope: "col", role: "columnheader" }, name)))),
        body,
      ),
    ),
    pages,
  );
  fill(main, el("h1", {}, "Upload"), zone, results);

  scale.addEventListener("input", () => {
    if (scale.value) sessionStorage.setItem(SCALE, scale.value);
    else sessionStorage.removeItem(SCALE);
  });
  /// Sends files, unless the size of their pixels cannot be one.
  const send = (chosen, others) => {
    if (scale.reportValidity()) uploads.add(chosen, keep.checked, scale.value ? scale.valueAsNumber : null, others);
  };
  files.addEventListener("change", () => {
    send([...files.files].map((file) => ({ name: file.name, file })));
    files.value = "";
  });
  folder.addEventListener("change", () => {
    const [images, others] = separated([...folder.files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
    send(images, others);
    folder.value = "";
  });
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const [images, others] = await dropped(event.dataTransfer);
    send(images, others);
  });

  const button = (text, onclick) => el("button", { type: "button", onclick }, text);
  const stop = button("Stop", () => uploads.stop());
  const retry = button("Retry failed files", () => uploads.retry());
  const save = button("Download CSV", () => download("smearscope-results.csv", "text/csv;charset=utf-8", csv(uploads.items)));
  const clear = button("Clear", () => uploads.clear());
  fill(buttons, stop, retry, save, clear);

  let counts = new Counts();
  let lost = 0;
  /// The index of the first row of the page of the table, and whether the page follows the uploads.
  let first = 0;
  let isFollowing = true;
  const rows = new Map();
  const isFinished = ({ result, error }) => result || error;
  let ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort());
  /// Shows the cells of an image.
  const open = (item) => {
    ending.abort();
    ending = new AbortController();
    detail(chosen, ending.signal, item);
  };
  const pageOf = (index) => index - (index % PAGE);

  const append = (items) => {
    items.forEach((item) => rows.set(item, row(item, open)));
    body.append(...items.map((item) => rows.get(item)));
    const { length } = uploads.items;
    pages.hidden = length <= PAGE;
    pages.children[1].textContent = `Files ${first + 1} to ${Math.min(first + PAGE, length)} of ${length}`;
    pages.firstChild.disabled = first === 0;
    pages.lastChild.disabled = first + PAGE >= length;
  };
  const drawPage = (index) => {
    first = index;
    rows.clear();
    fill(body);
    append(uploads.items.slice(first, first + PAGE));
  };
  /// Draws everything.
  const reset = () => {
    counts = new Counts();
    uploads.items.filter(isFinished).forEach((item) => counts.add(item));
    ({ lost } = uploads);
    isFollowing = true;
    omitted.textContent = omittedText(uploads.omitted);
    fill(chosen);
    drawPage(0);
    progress();
  };
  const add = (items) => {
    omitted.textContent = omittedText(uploads.omitted);
    append(items.filter(({ index }) => pageOf(index) === first));
    progress();
  };
  /// Draws one item: the work must not grow with the number of the others.
  const change = (item) => {
    if (isFollowing && pageOf(item.index) !== first) drawPage(pageOf(item.index));
    else if (rows.has(item)) {
      const drawn = row(item, open);
      rows.get(item).replaceWith(drawn);
      rows.set(item, drawn);
    }
    if (isFinished(item)) counts.add(item);
  };
  const turn = (by) => {
    isFollowing = false;
    drawPage(first + by);
  };
  fill(pages, button("Earlier", () => turn(-PAGE)), el("span", {}), button("Later", () => turn(PAGE)));
  const progress = () => {
    const { isRunning, pause, items } = uploads;
    results.hidden = items.length === 0;
    bar.max = Math.max(items.length, 1);
    bar.value = counts.finished;
    done.textContent = progressText(counts.finished, lost);
    stop.hidden = !isRunning;
    retry.hidden = isRunning || !uploads.canRetry;
    save.hidden = counts.finished === 0;
    clear.hidden = isRunning;
    done.classList.toggle("problem", pause !== "");
    fill(sums, totals(counts));
  };
  uploads.addEventListener("reset", reset, { signal });
  uploads.addEventListener("add", ({ detail }) => add(detail), { signal });
  uploads.addEventListener("item", ({ detail }) => change(detail), { signal });
  uploads.addEventListener("progress", progress, { signal });
  reset();
}

/// What the uploads are doing.
function progressText(finished, lost) {
  const { isRunning, pause, items } = uploads;
  const soFar = `${finished} of ${count(items.length, "file")} done`;
  if (pause) return `${soFar}. Paused: ${pause}. Trying again …`;
  if (isRunning) return soFar;
  if (lost > 0) return `${soFar}; ${lost} not sent when the page was closed: choose the same images or their folder again, to go on.`;
  return `${soFar}; ${finished < items.length ? "stopped" : "finished"}.`;
}

/// The counts as boxes.
function totals(sum) {
  const box = (value, name, kind = "") => el("div", { class: `sum ${kind}` }, el("strong", {}, String(value)), el("span", {}, name));
  return [
    el("div", { class: "sums", id: "sums" }, box(sum.Positive, "positive"), box(sum.Negative, "negative"), box(sum.Inconclusive, "inconclusive"), box(sum.errors, "errors")),
    sum.labelled > 0 && [
      el("h3", {}, `${count(sum.labelled, "labelled image")}`),
      el("div", { class: "sums", id: "labelled" }, box(sum.TP, "TP"), box(sum.FP, "FP", sum.FP > 0 ? "wrong" : ""), box(sum.TN, "TN"), box(sum.FN, "FN", sum.FN > 0 ? "wrong" : ""), box(sum.unsure, "inconclusive")),
      el("p", { class: "small" }, `Sensitivity ${share(sum.TP, sum.TP + sum.FN)}; specificity ${share(sum.TN, sum.TN + sum.FP)}. Conclusive verdicts only, with 95 % intervals; ${sum.unsure} inconclusive.`),
    ],
  ];
}

/// A row of the table; `open` shows the cells of an image.
function row(item, open) {
  const { name, result, error, word, file } = item;
  const isIll = label(name);
  const kind = result ? outcome(name, result.verdict) : "";
  const why = error ?? (result ? [result.reason, result.hint].filter(Boolean).join(": ") : "");
  const cell = (content, kinds = "") => el("td", { role: "cell", class: content === "–" ? `${kinds} empty` : kinds }, content);
  return el(
    "tr",
    { role: "row" },
    el("th", { scope: "row", role: "rowheader" }, item.cells && file ? el("button", { type: "button", class: "link", title: "Show the cells", onclick: () => open(item) }, name) : name),
    cell(isIll === null ? "–" : isIll ? "ALL (1)" : "healthy (0)", "what"),
    cell(result ? badge(result.verdict) : error ? el("span", { class: "problem" }, "✗ error") : word, "said"),
    cell(result?.count ? result.count.words : result ? percent(result.probability) : "–", "figure-cell"),
    cell(kind || "–", ["FP", "FN"].includes(kind) ? "right wrong" : "right"),
    cell(why || "–", "why"),
  );
}
