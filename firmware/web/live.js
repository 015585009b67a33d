// The bench as it is now: its lamps, its button, what it found.

import { Problem, post, snapshot } from "./api.js";
import { bench } from "./bench.js";
import { count, el, fill, moment, percent, recordedAt, sleep } from "./dom.js";
import { badge, flaw, openField, probability, quality, shownOf, tally } from "./verdict.js";

const TITLES = {
  starting: "Checking the model",
  self_test: "Self-test",
  ready: "Ready",
  capturing: "Taking a picture",
  analysing: "Analysing",
  verdict: "Showing a verdict",
  slide_closed: "Slide closed",
  again: "Showing the last verdict again",
  switching_off: "About to switch off",
  fault: "Fault",
  off: "Switched off",
};

/// The lamps of a state, by their places: red, amber, green.
const LAMPS = {
  starting: ["", "blink", "blink"],
  self_test: ["on", "on", "on"],
  ready: ["", "", "on"],
  capturing: ["", "blink", ""],
  analysing: ["", "breathe", ""],
  slide_closed: ["", "breathe", "breathe"],
  switching_off: ["breathe", "", ""],
  fault: ["blink", "", ""],
  off: ["", "", ""],
};
const VERDICT_LAMPS = { Positive: ["on", "", ""], Negative: ["", "", "blink"], Inconclusive: ["", "on", ""] };
const COLOURS = ["red", "amber", "green"];
/// Between two pictures of the preview.
const PREVIEW = 250;
/// What is turned while somebody looks: focus and light.
const WATCHED = ["focus", "highlights", "clipped", "evenness"];

const lampsOf = (state, shown) => {
  if (!["verdict", "again"].includes(state.name)) return LAMPS[state.name] ?? ["", "", ""];
  if (shown?.closed) return LAMPS.slide_closed;
  return shown ? VERDICT_LAMPS[shownOf(shown.finding).verdict] : ["", "", ""];
};

function lamps(lit) {
  const words = COLOURS.map((colour, place) => `${colour} ${{ on: "on", blink: "blinks", breathe: "breathes" }[lit[place]] ?? "off"}`);
  return el("span", { class: "lamps", role: "img", "aria-label": `Lamps: ${words.join(", ")}` }, COLOURS.map((colour, place) => el("span", { class: `lamp ${colour} ${lit[place]}` })));
}

/// What the bench shows, in full.
function verdictCard({ finding, closed }) {
  if (closed) {
    return [
      el("p", { class: `verdict ${closed.verdict.toLowerCase()}` }, badge(closed.verdict)),
      el("p", { class: "place" }, `Slide ${closed.number} closed · ${tally(closed)}`),
      probability(closed.probability),
      closed.reason && el("p", { class: "reason" }, closed.reason, closed.hint && el("strong", {}, ` — ${closed.hint}`)),
    ];
  }
  const { verdict, reason, hint, probability: value } = shownOf(finding);
  const isRefused = finding.probability === null;
  const isLost = finding.saved === false;
  return [
    el("p", { class: `verdict ${verdict.toLowerCase()}` }, badge(verdict)),
    isLost && el("p", { class: "problem" }, "NOT SAVED: this field does not count."),
    el("p", { class: "place" }, isRefused ? `This field was refused; slide ${finding.slide.number} has ${count(finding.slide.fields, "field")}` : `Slide ${finding.slide.number} · ${count(finding.slide.fields, "field")}`),
    probability(value, finding.threshold, verdict),
    reason && el("p", { class: "reason" }, reason, hint && el("strong", {}, ` — ${hint}`)),
    !isRefused && (isLost || finding.slide.fields > 1) && el("p", { class: "small" }, `Last field: ${finding.verdict}, p(ALL) ${percent(finding.probability)}`),
    el("p", { class: "small" }, [moment(recordedAt(finding.record) ?? NaN), finding.model, finding.engine].filter(Boolean).join(" · ")),
  ];
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
  const picture = el("div", { class: "preview" });
  const meters = el("div", { class: "watched", role: "group", "aria-label": "Focus and light of the live picture" });
  const warning = el("p", { class: "warning", role: "status" });
  const capture = el("button", { type: "button", class: "primary", id: "capture" }, "Capture");
  const next = el("button", { type: "button", id: "next" }, "Next slide");
  const repeat = el("button", { type: "button", id: "repeat" }, "Show last verdict");
  const off = el("button", { type: "button", id: "off" }, "Switch off …");
  const stay = el("button", { type: "button", autofocus: true }, "Leave it on");
  const confirmed = el("button", { type: "button", id: "confirm-off" }, "Switch off");
  const confirm = el(
    "dialog",
    { id: "confirm", "aria-labelledby": "confirm-title" },
    el("h2", { id: "confirm-title" }, "Switch the appliance off?"),
    el("p", {}, "The slide is closed on the way. Only somebody at the appliance can switch it on again."),
    el("div", { class: "buttons" }, confirmed, stay),
  );
  let busy = false;

  const press = async (button, path, said) => {
    if (busy) return;
    busy = true;
    answer.textContent = "";
    show();
    try {
      // As long as picture and analysis may take at the slowest; the appliance says earlier if nothing comes of it.
      const result = await post(path, { signal: AbortSignal.any([signal, AbortSignal.timeout(180_000)]) });
      answer.textContent = said(result);
    } catch (error) {
      if (!signal.aborted) answer.textContent = error instanceof Problem ? `Not done: ${error.message}.` : "The appliance does not answer; look at the bench for what came of it.";
    } finally {
      busy = false;
      show();
      // A button that was disabled has lost the focus.
      if (document.activeElement === document.body) button.focus();
    }
  };
  off.addEventListener("click", () => confirm.showModal());
  stay.addEventListener("click", () => confirm.close());
  confirmed.addEventListener("click", () => {
    confirm.close();
    press(off, "/v1/off", ({ machine }) => (machine ? "The appliance switches off." : "smearscope ends; its machine stays on."));
  });
  repeat.addEventListener("click", () => press(repeat, "/v1/repeat", () => ""));
  capture.addEventListener("click", () => press(capture, "/v1/captures", () => ""));
  next.addEventListener("click", () =>
    press(next, "/v1/slides/next", ({ closed, slide: number }) => (closed ? `Slide ${closed.number} is closed; slide ${number} is next.` : `Nothing was photographed of slide ${number} yet; it goes on.`)),
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
        picture,
        warning,
        meters,
        el("div", { class: "buttons" }, capture, next),
        el("div", { class: "buttons lesser" }, repeat, off),
        answer,
        confirm,
      ),
      el("section", { class: "card", "aria-labelledby": "verdict-title" }, el("h2", { id: "verdict-title" }, "Verdict"), verdict, spoken),
      el("section", { class: "card", "aria-labelledby": "quality-title" }, el("h2", { id: "quality-title" }, "Quality of the last picture"), figures),
      el("section", { class: "card", "aria-labelledby": "fields-title" }, slide, fields),
    ),
  );

  let said = null;
  let listed = null;
  const say = (text) => {
    if (text !== said) spoken.textContent = said = text;
  };

  function show() {
    const { state, connected } = bench;
    const shown = bench.shown;
    const canPress = connected && state?.waiting && !busy;
    capture.disabled = !canPress;
    next.disabled = !canPress;
    repeat.disabled = !canPress || !state.can_repeat;
    off.disabled = !connected || busy || state?.name === "off";
    // Between two presses it is what is there now.
    picture.classList.toggle("old", !state?.waiting);
    capture.textContent = busy || ["capturing", "analysing"].includes(state?.name) ? "Working …" : "Capture";
    if (!connected || !state) {
      fill(status, lamps(["", "", ""]), el("span", {}, state ? "Not connected" : "Connecting"));
      message.textContent = state ? "What the bench does now is not known here." : "Asking the appliance what it does.";
      fill(verdict, el("p", { class: "none" }, "Nothing is shown: whether it would still hold is not known."));
      fill(figures, el("p", { class: "none" }, "Not known."));
      fill(fields, el("li", { class: "none" }, "Not known."));
      slide.textContent = "Fields of this slide";
      listed = null;
      say(state ? "Connection lost. What the bench shows is not known." : "");
      return;
    }
    fill(status, lamps(lampsOf(state, shown)), el("span", {}, TITLES[state.name] ?? state.name));
    message.textContent = state.name === "fault" ? state.message : `Slide ${state.slide}: ${tally(state)}.`;
    message.classList.toggle("problem", state.name === "fault");

    if (shown) {
      fill(verdict, verdictCard(shown));
      const what = shown.closed ?? shownOf(shown.finding);
      say([shown.closed && `Slide ${shown.closed.number} closed:`, what.verdict, what.probability !== null && `probability ${percent(what.probability)}`, what.reason, what.hint].filter(Boolean).join(", "));
    } else {
      const why = {
        capturing: "Hold the slide still.",
        analysing: "The model looks at the picture.",
        fault: "No verdict: something failed.",
        off: "The appliance is switched off.",
        starting: "The model is being checked; no verdict before that.",
      };
      fill(verdict, el("p", { class: "none" }, why[state.name] ?? "No verdict yet. Press Capture, or the button of the bench."));
      say(state.name === "fault" ? `Fault: ${state.message}` : why[state.name] ?? "");
    }

    const { current } = bench;
    const last = current.at(-1);
    if (last && shown?.finding) fill(figures, quality(last.quality));
    else fill(figures, el("p", { class: "none" }, "The figures of a picture stand here after a capture, each with its limit."));
    slide.textContent = `Fields of slide ${state.slide}`;
    // Only where it changed: a row that has the focus keeps it.
    const key = `${state.slide}/${state.fields + state.refused}/${current.length}`;
    if (key === listed) return;
    listed = key;
    if (current.length === 0) {
      fill(fields, el("li", { class: "none" }, state.fields + state.refused > 0 ? "They were photographed before this page knew; look at Slides." : "None yet."));
      return;
    }
    fill(
      fields,
      current
        .map((field) => {
          const number = field.saved === false ? "–" : field.slide.fields + field.slide.refused;
          const what = [field.probability !== null && `p(ALL) ${percent(field.probability)}`, field.reason];
          return el(
            "li",
            {},
            el(
              "button",
              { type: "button", class: "row", onclick: () => openField(`Slide ${field.slide.number}, field ${number}`, field) },
              el("span", { class: "number" }, `${number}`),
              badge(field.verdict),
              el("span", { class: "what" }, what.filter(Boolean).join(" · ")),
              field.saved === false && el("span", { class: "problem" }, "not saved"),
            ),
          );
        })
        .reverse(),
    );
  }

  bench.addEventListener("change", show, { signal });
  show();
  preview(picture, meters, warning, signal);
}

/// Shows what is under the microscope, again and again, as long as somebody looks.
async function preview(box, meters, warning, signal) {
  // What was measured of an old picture must not pass for what is there now, either.
  const measured = (figures) => {
    const watched = Object.fromEntries(WATCHED.filter((name) => figures?.[name]).map((name) => [name, figures[name]]));
    fill(meters, figures && quality(watched));
    const text = flaw(figures) ?? "";
    if (warning.textContent !== text) warning.textContent = text;
  };
  const tell = (text) => {
    fill(box, el("p", { class: "none" }, text));
    measured(null);
  };
  let url = null;
  tell("Waiting for the live picture …");
  while (!signal.aborted) {
    if (!bench.connected) {
      tell("No live picture: there is no connection.");
    } else if (bench.state?.name === "off") {
      tell("No live picture: the appliance is switched off.");
    } else if (!document.hidden) {
      try {
        // As long as a capture and its analysis may take.
        const seen = await snapshot({ signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) });
        if (url) URL.revokeObjectURL(url);
        ({ url } = seen);
        const shown = box.querySelector("img") ?? el("img", { alt: "What is under the microscope" });
        shown.src = url;
        if (!shown.parentElement) fill(box, shown);
        measured(seen.quality);
      } catch (error) {
        if (signal.aborted) break;
        tell(`No live picture: ${error.message}.`);
        await sleep((error.retryAfter ?? 1) * 1000);
      }
    }
    await sleep(PREVIEW);
  }
  if (url) URL.revokeObjectURL(url);
}
