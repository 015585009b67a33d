// The device view: health, self-test, camera, drift, models, faults, log, configuration, access.

import { forgetToken, get, hasToken } from "./api.js";
import { camera } from "./camera.js";
import { className } from "./cells.js";
import { rule } from "./count.js";
import { bad, bytes, count, el, fill, moment, sleep } from "./dom.js";
import { drift } from "./drift.js";
import { DEMO, facts, limits } from "./verdict.js";

const EVERY = 10_000;
/// A Raspberry Pi throttles above this temperature.
const HOT = 80;

const good = (text) => el("span", { class: "good" }, `✓ ${text}`);

function health({ version, state, temperature_c: degrees, disk }, ready) {
  const share = disk && disk.total_bytes > 0 ? disk.free_bytes / disk.total_bytes : null;
  const meter = share === null ? null : el("progress", { max: 1, value: 1 - share, "aria-label": "Used disk" });
  return el(
    "dl",
    { class: "facts" },
    facts({
      Ready: ready === null ? good("yes") : bad(ready),
      Warnings: state.warnings.length > 0 && el("ul", {}, state.warnings.map((text) => el("li", {}, bad(text)))),
      State: state.message,
      Temperature: degrees === null ? "no sensor" : degrees >= HOT ? bad(`${degrees.toFixed(1)} °C, too hot`) : `${degrees.toFixed(1)} °C`,
      Disk: disk ? el("span", {}, `${bytes(disk.free_bytes)} of ${bytes(disk.total_bytes)} free `, meter) : "no records are kept",
      Version: version,
    }),
  );
}

function selfTest(found) {
  if (!found) return el("p", { class: "none" }, "Not finished yet.");
  return [
    el("p", {}, found.passed ? good("passed") : bad("failed")),
    el("ul", {}, found.lines.map((line) => el("li", {}, line))),
  ];
}

function models(running, list) {
  return [
    running
      ? el("dl", { class: "facts" }, facts({ Running: running.name, Engine: running.engine, Kind: running.demo ? `demo, ${DEMO}` : "not a demo" }))
      : el("p", { class: "none" }, "No model is loaded."),
    list.map((model) => [
      el(
        "dl",
        { class: "facts sub" },
        facts({
          Model: model.problem ? bad(model.problem) : `${model.name} ${model.version}`,
          Role: `${model.role}${model.in_use ? ", in use" : ""}`,
          Signed: model.problem ? null : model.signed ? "yes" : "no",
          Folder: model.folder,
          Manifest: model.manifest_sha256 && el("code", {}, model.manifest_sha256),
        }),
      ),
      model.card && card(model.card),
    ]),
  ];
}

/// The model card.
function card({ architecture, trained_on, intended_use, license, positive, negative, decision, slide, classes, count_rule: counting, evaluation }) {
  const { dataset, protocol, positives, negatives, figures, intervals = {}, warnings = [] } = evaluation;
  const three = (value) => value.toFixed(3);
  const figure = ([name, value]) => `${name.replaceAll("_", " ")} ${three(value)}${intervals[name] ? ` (${intervals[name].map(three).join(" to ")})` : ""}`;
  return el(
    "details",
    {},
    el("summary", {}, "Model card"),
    el(
      "dl",
      { class: "facts" },
      facts({
        "Intended use": intended_use,
        "Trained on": trained_on,
        Verdict: decision ? limits(decision) : counting && rule(counting.share, counting.fewest_cells, counting.min_cells),
        Calibration: decision && (decision.calibrated ? `offset ${decision.offset}, temperature ${decision.temperature}` : "none: probabilities are the network's own"),
        Slides: slide && `from ${count(slide.min_fields, "field")}, correlation ${slide.correlation}`,
        Classes: positive ? `${positive} (positive), ${negative} (negative)` : classes?.map(className).join(", "),
        Network: architecture,
        License: license,
        "Measured on": `${dataset.replace(/\.?$/, ".")} ${positives} positive, ${negatives} negative images.`,
        Protocol: protocol,
        Figures: el("ul", {}, Object.entries(figures).map((entry) => el("li", {}, figure(entry)))),
        Warnings: warnings.length > 0 && el("ul", {}, warnings.map((line) => el("li", {}, line))),
      }),
    ),
  );
}

/// The last faults, newest first.
function faults(list) {
  if (list.length === 0) return el("p", { class: "none" }, "None.");
  const times = ({ began_at: began, ended_at: ended, count: number }) =>
    [ended === null ? `since ${moment(began)}` : `${moment(began)} to ${moment(ended)}`, number > 1 && `${number} times`].filter(Boolean).join(", ");
  return el(
    "ul",
    { class: "log" },
    list.map((fault) => el("li", {}, el("small", {}, `${fault.part}, ${times(fault)}`), " ", el("span", { class: fault.ended_at === null ? "problem" : "" }, fault.message))),
  );
}

/// The last lines of the log, newest first.
function log(lines) {
  const grave = (level) => (["error", "warn"].includes(level) ? "problem" : "");
  return el(
    "ol",
    { class: "log" },
    lines.toReversed().map(({ at, level, message }) => el("li", {}, el("small", {}, `${moment(at)} ${level}`), " ", el("span", { class: grave(level) }, message))),
  );
}

function configuration(sections) {
  const value = (entry) => el("code", {}, typeof entry === "string" ? entry || "(empty)" : JSON.stringify(entry));
  const rows = (name, section) =>
    section !== null && typeof section === "object" && !Array.isArray(section)
      ? el("details", {}, el("summary", {}, name), el("dl", { class: "facts" }, Object.entries(section).map(([key, entry]) => el("div", {}, el("dt", {}, key), el("dd", {}, value(entry))))))
      : el("dl", { class: "facts" }, el("div", {}, el("dt", {}, name), el("dd", {}, value(section))));
  return Object.entries(sections).map(([name, section]) => rows(name, section));
}

/// The view; `signal` ends it.
export async function device(main, signal) {
  const parts = {};
  const part = (id, title) => {
    parts[id] = el("div", {}, el("p", { class: "none" }, "Loading …"));
    return el("section", { class: "card", "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), parts[id]);
  };
  fill(
    main,
    el("h1", {}, "Device"),
    el(
      "div",
      { class: "columns" },
      part("health", "Health"),
      part("test", "Self-test"),
      part("camera", "Camera"),
      part("drift", "Drift"),
      part("models", "Models"),
      part("faults", "Faults"),
      part("log", "Log"),
      part("config", "Configuration"),
      part("access", "Access"),
    ),
  );
  fill(
    parts.access,
    el("p", {}, hasToken() ? "This tab has a token." : "No token needed."),
    hasToken() && el("button", { type: "button", onclick: forgetToken }, "Forget the token"),
    el("p", { class: "small" }, "API description: ", el("a", { href: "/v1/openapi.json" }, "/v1/openapi.json")),
  );
  /// Fills parts together, or shows why that failed.
  const show = async (ids, work) => {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) ids.forEach((id) => fill(parts[id], el("p", { class: "problem" }, `Cannot load: ${error.message}.`)));
    }
  };
  const showCamera = (found) => fill(parts.camera, camera(found, showCamera, main, signal));
  show(["camera"], async () => showCamera(await get("/v1/calibration")));
  show(["drift"], () => drift(parts.drift));
  show(["config"], async () => fill(parts.config, configuration(await get("/v1/config"))));
  let list = null;
  /// The model that ran when the list was loaded.
  let listedFor = null;
  while (!signal.aborted) {
    if (!document.hidden) {
      await show(["health", "test", "models"], async () => {
        const found = await get("/v1/device");
        const ready = await get("/v1/health/ready").then(
          () => null,
          (error) => (error.status === 503 ? error.message : Promise.reject(error)),
        );
        const running = found.model?.name ?? "";
        if (listedFor !== running) {
          list = await get("/v1/models");
          listedFor = running;
        }
        if (signal.aborted) return;
        fill(parts.health, health(found, ready));
        fill(parts.test, selfTest(found.self_test));
        // Keep a model card open that the user opened.
        if (!parts.models.querySelector("details[open]")) fill(parts.models, models(found.model, list));
      });
      await show(["faults"], async () => {
        const list = await get("/v1/faults");
        if (!signal.aborted) fill(parts.faults, el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Last faults" }, faults(list)));
      });
      await show(["log"], async () => {
        const lines = await get("/v1/log");
        if (!signal.aborted) fill(parts.log, el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Last lines of the log" }, log(lines)), el("p", { class: "small" }, "Full log, on the appliance: journalctl -u smearscope"));
      });
    }
    await sleep(EVERY);
  }
}
