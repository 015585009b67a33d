// The live view: state and lamps, live picture, buttons, verdict, the judged picture with its cells, fields of the slide.

import { Problem, post } from "./api.js";
import { bench } from "./bench.js";
import { address } from "./cells.js";
import { countMeasures } from "./count.js";
import { count, el, fill, moment, percent, recordedAt } from "./dom.js";
import { finder } from "./finder.js";
import { judged } from "./judged.js";
import { isForPage, pressesControl } from "./keys.js";
import { badge, fieldNumber, flaw, probability, quality, result, tally } from "./verdict.js";

const TITLES = {
  starting: "Checking the model",
  selftest: "Self-test",
  ready: "Ready",
  capturing: "Capturing",
  analysing: "Analysing",
  verdict: "Showing a verdict",
  slide_closed: "Slide closed",
  again: "Showing the last verdict again",
  switching_off: "About to switch off",
  fault: "Fault",
};

/// The state in words.
const title = ({ name, message }) => (name === "off" ? `${message[0].toUpperCase()}${message.slice(1)}` : TITLES[name] ?? name);

/// Why there is no verdict, by state.
const WHY = {
  capturing: "Hold the slide still.",
  analysing: "The model is analysing the picture.",
  fault: "No verdict because of a fault.",
  starting: "The model is being checked.",
};

/// Why a state has no verdict, if it says so.
const why = ({ name, message }) => (name === "off" ? `The appliance is ${message}.` : WHY[name]);

const COLOURS = ["red", "amber", "green"];
const OFF = { red: "off", amber: "off", green: "off" };
/// The quality figures beside the live picture: focus and light.
const WATCHED = ["focus", "highlights", "clipped", "evenness"];

/// The status LEDs, in their order on the appliance.
function lamps(lit) {
  const words = COLOURS.map((colour) => `${colour} ${{ on: "on", blink: "blinking", breathe: "breathing" }[lit[colour]] ?? "off"}`);
  return el("span", { class: "lamps", role: "img", "aria-label": `LEDs: ${words.join(", ")}` }, COLOURS.map((colour) => el("span", { class: `lamp ${colour} ${lit[colour]}` })));
}

/// The shown verdict in full, with what is known of the field or the closed slide that it is about.
function verdictCard({ verdict, reason, hint, probability: value, count: shown }, { finding, closed }) {
  const isRefused = finding && finding.probability === null && !finding.count;
  const isUnsaved = finding?.saved === false;
  const ofSlide = (finding?.slide ?? closed)?.count;
  // A field that adds nothing to its slide has a verdict of its own, without a count.
  return [
    el("p", { class: `verdict ${verdict.toLowerCase()}` }, badge(verdict)),
    isUnsaved && el("p", { class: "problem" }, "NOT SAVED: this field does not count."),
    shown && el("p", { class: "count" }, shown.words),
    reason && el("p", { class: "reason" }, reason, hint && el("strong", {}, ` — ${hint}`)),
    shown && countMeasures(shown),
    probability(value, finding),
    closed && el("p", { class: "place" }, `Slide ${closed.number} closed · ${tally(closed)}`),
    finding && el("p", { class: "place" }, isRefused ? `This field was refused; slide ${finding.slide.number} has ${count(finding.slide.fields, "field")}` : `Slide ${finding.slide.number} · ${count(finding.slide.fields, "field")}`),
    !shown && ofSlide && [el("p", { class: "small" }, `Slide so far: ${ofSlide.words}`), countMeasures(ofSlide)],
    finding && !isRefused && (isUnsaved || finding.count || finding.slide.fields > 1) && el("p", { class: "small" }, `Last field: ${finding.count ? finding.count.words : `${finding.verdict}, p(ALL) ${percent(finding.probability)}`}`),
    finding && el("p", { class: "small" }, [moment(recordedAt(finding.record) ?? NaN), finding.model, finding.engine].filter(Boolean).join(" · ")),
  ];
}

/// A row of the list of fields. A field that was not recorded has no address: its figures unfold.
function row(field) {
  const parts = [
    el("span", { class: "number" }, fieldNumber(field)),
    badge(field.verdict),
    el("span", { class: "what" }, [result(field), field.reason].filter(Boolean).join(" · ")),
    field.saved === false && el("span", { class: "problem" }, "not saved"),
  ];
  if (field.record) return el("li", {}, el("a", { class: "button row", href: address(field.record) }, parts));
  const figures = el("div", {});
  return el("li", {}, el("details", { ontoggle: () => fill(figures, quality(field.quality)) }, el("summary", { class: "button row" }, parts), figures));
}

/// The view; `signal` ends it.
export function live(main, signal) {
  const status = el("p", { class: "status" });
  const message = el("p", { class: "small" });
  const verdict = el("div", { class: "now" });
  const figures = el("div", {});
  const fields = el("ol", { class: "rows" });
  const slide = el("h2", { id: "fields-title" }, "Fields of this slide");
  const answer = el("p", { class: "answer", role: "status" });
  const spoken = el("p", { class: "unseen", "aria-live": "assertive" });
  const meters = el("div", { class: "watched", role: "group", "aria-label": "Focus and light of the live picture" });
  const warning = el("p", { class: "warning", role: "status" });
  const warnings = el("div", {});
  const capture = el("button", { type: "button", class: "primary", id: "capture" }, "Capture");
  const next = el("button", { type: "button", id: "next" }, "Next slide");
  const repeat = el("button", { type: "button", id: "repeat" }, "Show last verdict");
  const off = el("button", { type: "button", id: "off" }, "Switch off …");
  const stay = el("button", { type: "button", autofocus: true }, "Cancel");
  const confirmed = el("button", { type: "button", id: "confirm-off" }, "Switch off");
  const { picture: judgedPicture, gallery, show: showJudged } = judged(signal);
  const confirm = el(
    "dialog",
    { id: "confirm", "aria-labelledby": "confirm-title" },
    el("h2", { id: "confirm-title" }, "Switch the appliance off?"),
    el("p", {}, "The slide is closed first. The appliance can only be switched on again on site."),
    el("div", { class: "buttons" }, confirmed, stay),
  );
  let busy = false;
  // The figures always belong to the picture shown.
  const onseen = (figures) => {
    const watched = Object.fromEntries(WATCHED.filter((name) => figures?.[name]).map((name) => [name, figures[name]]));
    fill(meters, figures && quality(watched));
    const text = flaw(figures) ?? "";
    if (warning.textContent !== text) warning.textContent = text;
  };
  const { box: preview, frame, tools, zoom } = finder(signal, { onseen });
  const enlarge = el("button", { type: "button", class: "quiet enlarge", onclick: () => setLarge(tools.hidden) });
  /// Shows the live picture large, to be zoomed and moved, or small.
  const setLarge = (isLarge) => {
    preview.classList.toggle("large", isLarge);
    tools.hidden = !isLarge;
    frame.tabIndex = isLarge ? 0 : -1;
    enlarge.textContent = isLarge ? "Reduce" : "Enlarge";
    zoom.whole();
  };
  setLarge(false);

  const press = async (button, path, describe) => {
    if (busy) return;
    busy = true;
    answer.textContent = "";
    show();
    try {
      // The longest possible capture and analysis; the appliance usually reports a failure earlier.
      const result = await post(path, { signal: AbortSignal.any([signal, AbortSignal.timeout(180_000)]) });
      answer.textContent = describe(result);
    } catch (error) {
      if (!signal.aborted) answer.textContent = error instanceof Problem ? `Failed: ${error.message}.` : "The appliance does not answer; check it on site.";
    } finally {
      busy = false;
      show();
      // A disabled button loses the focus.
      if (document.activeElement === document.body) button.focus();
    }
  };
  off.addEventListener("click", () => confirm.showModal());
  stay.addEventListener("click", () => confirm.close());
  confirmed.addEventListener("click", () => {
    confirm.close();
    press(off, "/v1/off", ({ machine }) => (machine ? "The appliance is switching off." : "smearscope is stopping; the computer stays on."));
  });
  repeat.addEventListener("click", () => press(repeat, "/v1/repeat", () => ""));
  capture.addEventListener("click", () => press(capture, "/v1/captures", () => ""));
  next.addEventListener("click", () =>
    press(next, "/v1/slides/next", ({ closed, slide: number }) => (closed ? `Slide ${closed.number} closed. Slide ${number} is next.` : `Slide ${number} has no fields yet; it stays open.`)),
  );

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== " " || event.repeat || !isForPage(event) || pressesControl(event)) return;
      // Else the page would scroll.
      event.preventDefault();
      capture.click();
    },
    { signal },
  );

  fill(
    main,
    el("h1", { class: "unseen" }, "Live"),
    el(
      "div",
      { class: "live" },
      el(
        "section",
        { class: "card bench", "aria-label": "Bench" },
        status,
        message,
        warnings,
        el("div", { class: "watch" }, el("div", { class: "sight" }, preview, enlarge, tools), meters),
        warning,
        el("div", { class: "buttons" }, capture, next),
        el("div", { class: "buttons lesser" }, repeat, off),
        answer,
        el("p", { class: "small keys" }, "The space bar captures."),
        confirm,
      ),
      el("section", { class: "card verdict-card", "aria-labelledby": "verdict-title" }, el("h2", { id: "verdict-title" }, "Verdict"), verdict, spoken),
      judgedPicture,
      gallery,
      el("section", { class: "card", "aria-labelledby": "fields-title" }, slide, fields),
      el("section", { class: "card", "aria-labelledby": "quality-title" }, el("h2", { id: "quality-title" }, "Quality of the last field"), figures),
    ),
  );

  let said = null;
  let listed = null;
  const say = (text) => {
    if (text !== said) spoken.textContent = said = text;
  };

  function show() {
    const { state, connected, subject } = bench;
    const canPress = connected && state?.waiting && !busy;
    capture.disabled = !canPress;
    next.disabled = !canPress;
    repeat.disabled = !canPress || !state.can_repeat;
    off.disabled = !connected || busy || state?.name === "off";
    // During a capture the live picture is out of date.
    preview.classList.toggle("old", !state?.waiting);
    capture.textContent = busy || ["capturing", "analysing"].includes(state?.name) ? "Working …" : "Capture";
    if (!connected || !state) {
      fill(status, lamps(OFF), el("span", {}, bench.isOff ? title(state) : state ? "Not connected" : "Connecting"));
      message.textContent = bench.isOff ? "" : state ? "The current state is unknown." : "Loading …";
      fill(warnings);
      fill(verdict, el("p", { class: "none" }, "No verdict shown while disconnected."));
      fill(figures, el("p", { class: "none" }, "Not shown while disconnected."));
      fill(fields, el("li", { class: "none" }, "Not shown while disconnected."));
      showJudged(null, "Not shown while disconnected.");
      slide.textContent = "Fields of this slide";
      listed = null;
      say(bench.isOff ? why(state) : state ? "Connection lost." : "");
      return;
    }
    fill(status, lamps(state.lamps), el("span", {}, title(state)));
    message.textContent = state.name === "fault" ? state.message : `Slide ${state.slide}: ${tally(state)}.`;
    message.classList.toggle("problem", state.name === "fault");
    fill(warnings, state.warnings.map((text) => el("p", { class: "problem" }, `Warning: ${text}`)));

    const { shown } = state;
    if (shown) {
      fill(verdict, verdictCard(shown, subject));
      say([subject.closed && `Slide ${subject.closed.number} closed:`, shown.verdict, shown.count ? shown.count.words : shown.probability !== null && `probability ${percent(shown.probability)}`, shown.reason, shown.hint].filter(Boolean).join(", "));
    } else {
      fill(verdict, el("p", { class: "none" }, why(state) ?? "No verdict shown. Press Capture or the button of the appliance."));
      say(state.name === "fault" ? `Fault: ${state.message}` : why(state) ?? "");
    }

    const { current } = bench;
    const last = current.at(-1);
    // A closed slide is shown with its last picture.
    const { finding, closed } = shown ? subject : {};
    const about = closed ? bench.fields.findLast((field) => field.slide.number === closed.number) : (finding ?? last);
    showJudged(about ?? null, "The judged picture appears here after a capture.");
    if (last) fill(figures, quality(last.quality));
    else fill(figures, el("p", { class: "none" }, "Image quality appears here after a capture."));
    slide.textContent = `Fields of slide ${state.slide}`;
    // Rebuild only after a change, so that a row keeps the focus.
    const key = `${state.slide}/${state.fields + state.refused}/${current.length}`;
    if (key === listed) return;
    listed = key;
    if (current.length === 0) {
      fill(fields, el("li", { class: "none" }, state.fields + state.refused > 0 ? "Captured before this page was opened; see Slides." : "None yet."));
      return;
    }
    fill(fields, current.map(row).reverse());
  }

  bench.addEventListener("change", show, { signal });
  show();
}
