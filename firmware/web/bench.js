// The state of the appliance, kept up to date from its event stream.

import { access, request } from "./api.js";
import { sleep } from "./dom.js";

/// The appliance sends something at least every 2 s; after this many milliseconds without anything, the connection is lost.
export const SILENCE = 5_000;
const PAUSE = { first: 500, longest: 15_000 };

class Bench extends EventTarget {
  /// Whether the state is current.
  connected = false;
  /// Why it is not.
  problem = "connecting";
  /// Whether a token is required first.
  locked = false;
  state = null;
  /// The findings of the slide under the microscope, or of the slide that was just closed; oldest first.
  fields = [];
  /// What the state's verdict is about: a field's finding as `{finding}`, a closed slide as `{closed}`; empty if that was
  /// not received.
  subject = {};
  /// The last event received. An unknown mark makes the appliance send all buffered events.
  #last = { mark: "page", number: 1 };
  /// The subject of the next state with a verdict, which comes after its finding or closed slide.
  #nextSubject = {};
  #attempt = null;
  #wake = () => {};
  #isNotifying = false;

  async run() {
    access.addEventListener("login", () => {
      this.locked = false;
      this.#wake();
    });
    access.addEventListener("required", () => {
      this.locked = true;
      this.#attempt?.abort();
    });
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
    let pause = PAUSE.first;
    for (;;) {
      try {
        await this.#listen(() => (pause = PAUSE.first));
        this.#lose("the appliance ended the connection");
      } catch (error) {
        if (error.status === 401) this.locked = true;
        this.#lose(error.message);
      }
      const woken = new Promise((resolve) => (this.#wake = resolve));
      await (this.locked ? woken : Promise.race([woken, sleep(pause)]));
      pause = Math.min(pause * 2, PAUSE.longest);
    }
  }

  #lose(problem) {
    this.connected = false;
    this.problem = problem;
    this.#notify();
  }

  async #listen(heard) {
    const attempt = new AbortController();
    this.#attempt = attempt;
    let timer;
    const restart = () => {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(new Error("no sign of life from the appliance")), SILENCE);
    };
    restart();
    try {
      // Ask for the last event again: when it arrives, the state is known to be current.
      const { mark, number } = this.#last;
      const headers = { "Last-Event-ID": `${mark}-${number - 1}`, Accept: "text/event-stream" };
      const response = await request("/v1/events", { headers, signal: attempt.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        restart();
        heard();
        const blocks = (text + value.replaceAll("\r", "")).split("\n\n");
        text = blocks.pop();
        blocks.forEach((block) => this.#receive(block));
      }
    } finally {
      clearTimeout(timer);
      attempt.abort();
    }
  }

  #receive(block) {
    const event = {};
    for (const line of block.split("\n")) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name) event[name] = name in event ? `${event[name]}\n${value}` : value;
    }
    if (!event.id || !event.data) return;
    const end = event.id.lastIndexOf("-");
    const [mark, number] = [event.id.slice(0, end), Number(event.id.slice(end + 1))];
    if (mark !== this.#last.mark) {
      // The program restarted: forget the state of the previous run.
      this.state = null;
      this.subject = this.#nextSubject = {};
      this.fields = [];
    }
    const isKnown = mark === this.#last.mark && number <= this.#last.number;
    if (!isKnown) {
      this.#last = { mark, number };
      this.#apply(event.event, JSON.parse(event.data));
    }
    this.connected = true;
    this.problem = null;
    this.#notify();
  }

  #apply(kind, data) {
    if (kind === "state") {
      this.state = data;
      this.subject = this.#nextSubject;
    } else if (kind === "verdict") {
      if (this.fields[0] && this.fields[0].slide.number !== data.slide.number) this.fields = [];
      this.fields.push(data);
      this.#nextSubject = { finding: data };
    } else if (kind === "slide") {
      this.#nextSubject = { closed: data };
    }
  }

  /// Dispatches one event for all changes of a batch.
  #notify() {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      this.dispatchEvent(new Event("change"));
    });
  }

  /// Whether the connection ended because the appliance was switched off, stopped or restarted.
  get isOff() {
    return !this.connected && this.state?.name === "off";
  }

  /// The findings of the slide under the microscope.
  get current() {
    return this.state ? this.fields.filter((field) => field.slide.number === this.state.slide) : [];
  }
}

export const bench = new Bench();
