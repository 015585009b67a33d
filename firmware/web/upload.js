// Uploaded images: one request at a time, results, and the agreement with labels in file names.

import { Problem, Unreachable, post } from "./api.js";
import { count, download, el, fill, percent, sleep } from "./dom.js";
import { badge } from "./verdict.js";

/// Image files in a folder, as `smearscope classify` selects them.
const IMAGE = /\.(jpe?g|png|bmp|tiff?)$/i;
/// Attempts while the appliance does not answer.
const RETRIES = 3;
/// Time-out of a request in milliseconds.
const TIMEOUT = 180_000;

/// The label in a file name that ends in `_1` (ALL) or `_0` (healthy), like those of ALL-IDB; null without one.
export function label(name) {
  const stem = name.replace(/(.)\.[^.]*$/, "$1");
  const end = stem.includes("_") ? stem.slice(stem.lastIndexOf("_") + 1) : "";
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
export function summary(items) {
  const counts = { Positive: 0, Negative: 0, Inconclusive: 0, errors: 0, TP: 0, FP: 0, TN: 0, FN: 0, unsure: 0, labelled: 0 };
  for (const { name, result, error } of items) {
    if (error) counts.errors += 1;
    if (!result) continue;
    counts[result.verdict] += 1;
    if (label(name) === null) continue;
    counts.labelled += 1;
    const kind = outcome(name, result.verdict);
    counts[kind || "unsure"] += 1;
  }
  return counts;
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
  const head = ["file", "label", "verdict", "probability", "threshold", "inconclusive_from", "inconclusive_to", "outcome", "reason", "hint", "model", "demo", "engine", "device", "elapsed_ms", "error"];
  const rows = items.filter(({ result, error }) => result || error).map(({ name, result, error }) => {
    const isIll = label(name);
    const { verdict, probability, threshold, inconclusive_band: band, reason, hint, model, demo, engine, device, elapsed_ms: elapsed } = result ?? {};
    return [name, isIll === null ? "" : Number(isIll), verdict, probability, threshold, band?.[0], band?.[1], result ? outcome(name, verdict) : "", reason, hint, model, demo, engine, device, elapsed, error];
  });
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/// The dropped files, including those in folders.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ name: file.name, file }));
  const found = [];
  const walk = async (entry, isInFolder) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      const name = entry.fullPath.replace(/^\//, "");
      if (!isInFolder || IMAGE.test(name)) found.push({ name, file });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A reader returns up to 100 entries per call, and none at the end.
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const child of some) await walk(child, true);
    }
  };
  for (const entry of entries) await walk(entry, false);
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

// Kept while other views are open.
const items = [];
const changes = new EventTarget();
let isRunning = false;
let stopping = null;

const notify = () => changes.dispatchEvent(new Event("change"));

function add(files, isKept) {
  items.push(...files.map(({ name, file }) => ({ name, file, isKept, word: "waiting" })));
  notify();
  run();
}

/// Uploads one file at a time, so that the appliance has capacity left for captures.
async function run() {
  if (isRunning) return;
  isRunning = true;
  stopping = new AbortController();
  const { signal } = stopping;
  for (let item; !signal.aborted && (item = items.find(({ result, error }) => !result && !error)); ) await analyse(item, signal);
  items.filter(({ result, error }) => !result && !error).forEach((item) => (item.word = "stopped"));
  isRunning = false;
  notify();
}

async function analyse(item, signal) {
  for (let missed = 0; ; ) {
    item.word = "analysing …";
    notify();
    try {
      item.result = await post(item.isKept ? "/v1/classify?store=true" : "/v1/classify", {
        body: item.file,
        headers: { "Content-Type": "application/octet-stream" },
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
      });
      item.word = "done";
      return;
    } catch (error) {
      if (signal.aborted) return;
      const isBusy = error instanceof Problem && (error.status === 429 || (error.status === 503 && error.retryAfter && missed++ < RETRIES));
      const isAway = error instanceof Unreachable && missed++ < RETRIES;
      if (error.status === 401) return stopping.abort();
      if (!isBusy && !isAway) {
        item.error = error.message ?? String(error);
        item.word = "failed";
        return;
      }
      const seconds = error.retryAfter ?? 2;
      item.word = `retrying in ${seconds} s: ${error.message}`;
      notify();
      await sleep(seconds * 1000);
    }
  }
}

/// The view; `signal` ends it.
export function upload(main, signal) {
  const files = el("input", { type: "file", multiple: true, accept: ".jpg,.jpeg,.png,.bmp,.tif,.tiff,image/*", id: "files", class: "unseen" });
  const folder = el("input", { type: "file", webkitdirectory: true, id: "folder", class: "unseen" });
  const keep = el("input", { type: "checkbox", id: "keep" });
  const zone = el(
    "div",
    { class: "card drop" },
    el("p", {}, "Drop images or a folder here, or"),
    el("p", { class: "buttons" }, files, el("label", { for: "files", class: "button primary" }, "Choose images"), folder, el("label", { for: "folder", class: "button" }, "Choose a folder")),
    el("p", { class: "small" }, "JPEG, PNG, TIFF or BMP. File names that end in _1 (leukemia) or _0 (healthy), like Im001_1.jpg, are compared with the verdict. Uploaded images do not count towards the slide under the microscope and are stored only if you choose so."),
    el("p", { class: "check" }, keep, el("label", { for: "keep" }, "Store images and verdicts in the records, without their file names")),
  );
  const progress = el("progress", { max: 1, value: 0, "aria-label": "Files done" });
  const done = el("p", { role: "status", class: "small" });
  const buttons = el("p", { class: "buttons" });
  const sums = el("div", {});
  // Explicit roles: narrow screens show rows as cards, and browsers then drop the implicit table roles.
  const body = el("tbody", { role: "rowgroup" });
  const results = el(
    "section",
    { class: "card", "aria-labelledby": "results-title" },
    el("h2", { id: "results-title" }, "Results"),
    progress,
    done,
    buttons,
    sums,
    el(
      "div",
      { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of results" },
      el(
        "table",
        { class: "results", role: "table" },
        el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ["File", "Label", "Verdict", "p(ALL)", "Outcome", "Reason and remedy"].map((name) => el("th", { scope: "col", role: "columnheader" }, name)))),
        body,
      ),
    ),
  );
  fill(main, el("h1", {}, "Upload"), zone, results);

  files.addEventListener("change", () => {
    add([...files.files].map((file) => ({ name: file.name, file })), keep.checked);
    files.value = "";
  });
  folder.addEventListener("change", () => {
    const chosen = [...folder.files].filter((file) => IMAGE.test(file.name));
    add(chosen.map((file) => ({ name: file.webkitRelativePath || file.name, file })), keep.checked);
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
    add(await dropped(event.dataTransfer), keep.checked);
  });

  const button = (text, onclick) => el("button", { type: "button", onclick }, text);
  const stop = button("Stop", () => stopping.abort());
  const retry = button("Retry failed files", () => {
    items.forEach((item) => {
      delete item.error;
      if (!item.result) item.word = "waiting";
    });
    run();
  });
  const save = button("Download CSV", () => download("smearscope-results.csv", "text/csv;charset=utf-8", csv(items)));
  const clear = button("Clear", () => {
    items.length = 0;
    notify();
  });
  fill(buttons, stop, retry, save, clear);

  function show() {
    results.hidden = items.length === 0;
    const finished = items.filter(({ result, error }) => result || error).length;
    progress.max = Math.max(items.length, 1);
    progress.value = finished;
    done.textContent = isRunning ? `${finished} of ${count(items.length, "file")} done` : `${finished} of ${count(items.length, "file")} done; ${finished < items.length ? "stopped" : "finished"}.`;
    const hasMore = items.some(({ result }) => !result);
    stop.hidden = !isRunning;
    retry.hidden = isRunning || !hasMore;
    save.hidden = finished === 0;
    clear.hidden = isRunning;
    const sum = summary(items);
    const box = (value, name, kind = "") => el("div", { class: `sum ${kind}` }, el("strong", {}, String(value)), el("span", {}, name));
    fill(
      sums,
      el("div", { class: "sums", id: "sums" }, box(sum.Positive, "positive"), box(sum.Negative, "negative"), box(sum.Inconclusive, "inconclusive"), box(sum.errors, "errors")),
      sum.labelled > 0 && [
        el("h3", {}, `${count(sum.labelled, "labelled image")}`),
        el("div", { class: "sums", id: "labelled" }, box(sum.TP, "TP"), box(sum.FP, "FP", sum.FP > 0 ? "wrong" : ""), box(sum.TN, "TN"), box(sum.FN, "FN", sum.FN > 0 ? "wrong" : ""), box(sum.unsure, "inconclusive")),
        el("p", { class: "small" }, `Sensitivity ${share(sum.TP, sum.TP + sum.FN)}; specificity ${share(sum.TN, sum.TN + sum.FP)}. Conclusive verdicts only, with 95 % intervals; ${sum.unsure} inconclusive.`),
      ],
    );
    fill(
      body,
      items.map(({ name, result, error, word }) => {
        const isIll = label(name);
        const kind = result ? outcome(name, result.verdict) : "";
        const why = error ?? (result ? [result.reason, result.hint].filter(Boolean).join(": ") : "");
        const cell = (content, kinds = "") => el("td", { role: "cell", class: content === "–" ? `${kinds} empty` : kinds }, content);
        return el(
          "tr",
          { role: "row" },
          el("th", { scope: "row", role: "rowheader" }, name),
          cell(isIll === null ? "–" : isIll ? "ALL (1)" : "healthy (0)", "what"),
          cell(result ? badge(result.verdict) : error ? el("span", { class: "problem" }, "✗ error") : word, "said"),
          cell(result ? percent(result.probability) : "–", "figure-cell"),
          cell(kind || "–", ["FP", "FN"].includes(kind) ? "right wrong" : "right"),
          cell(why || "–", "why"),
        );
      }),
    );
  }
  changes.addEventListener("change", show, { signal });
  show();
}
