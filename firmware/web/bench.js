// What the bench does, as its events tell it; and whether they still come.

import { access, request } from "./api.js";
import { sleep } from "./dom.js";

/// The appliance says something at least every 15 s; after so long without a word, nothing is known any more.
const SILENCE = 40_000;
const PAUSE = { first: 500, longest: 15_000 };
const FAULTS = 50;

class Bench extends EventTarget {
  /// Whether what is shown is what the bench does now.
  connected = false;
  /// Why not.
  problem = "connecting";
  /// Whether a token is wanted first.
  locked = false;
  state = null;
  /// The findings of the slide under the microscope, or of the one that was closed last; oldest first.
  fields = [];
  /// The slide that was closed last.
  closed = null;
  /// What failed, newest first.
  faults = [];
  /// The last event that came. The mark of no start of the program gets all that is still there.
  #last = { mark: "page", number: 1 };
  #attempt = null;
  #wake = () => {};
  #told = false;

  async run() {
    access.addEventListener("login", () => {
      this.locked = false;
      this.#wake();
    });
    access.addEventListener("wanted", () => {
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
    this.#tell();
  }

  async #listen(heard) {
    const attempt = new AbortController();
    this.#attempt = attempt;
    let timer;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(new Error("nothing is heard of the appliance")), SILENCE);
    };
    listen();
    try {
      // The last one is asked for again: that it comes says at once that nothing was missed.
      const { mark, number } = this.#last;
      const headers = { "Last-Event-ID": `${mark}-${number - 1}`, Accept: "text/event-stream" };
      const response = await request("/v1/events", { headers, signal: attempt.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        listen();
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
      // Another start of the program: nothing of the one before holds.
      this.state = this.closed = null;
      this.fields = [];
    }
    const isKnown = mark === this.#last.mark && number <= this.#last.number;
    if (!isKnown) {
      this.#last = { mark, number };
      this.#happened(event.event, JSON.parse(event.data));
    }
    this.connected = true;
    this.problem = null;
    this.#tell();
  }

  #happened(kind, data) {
    if (kind === "state") {
      this.state = data;
    } else if (kind === "verdict") {
      if (this.fields[0] && this.fields[0].slide.number !== data.slide.number) this.fields = [];
      this.fields.push(data);
      this.closed = null;
    } else if (kind === "slide") {
      this.closed = data;
    } else if (kind === "fault") {
      this.faults = [{ ...data, at: new Date() }, ...this.faults].slice(0, FAULTS);
    }
  }

  /// Once for all that came at once.
  #tell() {
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.dispatchEvent(new Event("change"));
    });
  }

  /// The findings of the slide under the microscope.
  get current() {
    return this.state ? this.fields.filter((field) => field.slide.number === this.state.slide) : [];
  }

  /// What the bench shows now, if that is a verdict and if it is certain that it still holds: a field's finding as
  /// `{finding}`, a closed slide as `{closed}`.
  get shown() {
    const { state, closed } = this;
    if (!this.connected || !state) return null;
    if (!["verdict", "again", "ready", "slide_closed"].includes(state.name)) return null;
    if (closed && ["slide_closed", "again"].includes(state.name)) return { closed };
    const finding = this.fields.at(-1);
    if (!finding || closed || state.name === "slide_closed") return null;
    const { number, fields, refused } = finding.slide;
    return number === state.slide && fields === state.fields && refused === state.refused ? { finding } : null;
  }
}

export const bench = new Bench();
