// Images to be classified: sent one at a time, and kept while other views are open. When the page is loaded again, the
// results are still there, and the images that were not sent are named: only the user can give the page a file.

import { Problem, Unreachable, access, get, post } from "./api.js";
import { sleep } from "./dom.js";

/// Attempts for an image whose connection breaks although the appliance answers.
const RETRIES = 3;
/// Time-out of a request in milliseconds.
const TIMEOUT = 180_000;
/// Seconds between attempts during an outage.
const PAUSE = { first: 2, longest: 15 };
/// Statuses that concern the appliance, not the image: the queue, the model, the records, the disk.
const OUTAGE = [429, 503, 507];

const key = (index) => `upload ${index}`;
const isLost = ({ file, result }) => !file && !result;
const canSend = ({ file, result, error }) => file && !result && !error;

/// Dispatches `add` with the new items, `item` with one that changed, `progress`, and `reset` when many items changed.
class Uploads extends EventTarget {
  /// In the order in which they are sent: `{name, file, isKept, word}`, later with `result` or `error`.
  items = [];
  isRunning = false;
  /// Names of files in folders that are passed over.
  passedOver = [];
  /// Why nothing is sent at present; empty otherwise.
  pause = "";
  /// All items before this one were sent.
  #next = 0;
  #stopping = null;

  constructor() {
    super();
    for (;;) {
      const kept = sessionStorage.getItem(key(this.items.length));
      if (kept === null) break;
      const item = JSON.parse(kept);
      this.items.push({ ...item, index: this.items.length, word: "not sent: choose this image again" });
    }
    addEventListener("beforeunload", (event) => this.isRunning && event.preventDefault());
  }

  /// The number of images that the page no longer has.
  get lost() {
    return this.items.filter(isLost).length;
  }

  /// Adds files and sends them. Files that the page lost go on where they were, and those already sent are passed over.
  add({ files, passedOver }, isKept) {
    this.passedOver.push(...passedOver);
    const lost = new Map(this.items.filter(isLost).map((item) => [item.name, item]));
    const known = new Set(lost.size > 0 ? this.items.map(({ name }) => name) : []);
    for (const { name, file } of files) {
      const item = lost.get(name);
      if (!item) continue;
      Object.assign(item, { file, error: undefined, word: "waiting" });
      this.#next = 0;
    }
    const added = files
      .filter(({ name }) => !known.has(name))
      .map(({ name, file }, place) => ({ index: this.items.length + place, name, file, isKept, word: "waiting" }));
    this.items.push(...added);
    added.forEach((item) => this.#keep(item));
    if (lost.size > 0) this.#tell("reset");
    else this.#tell("add", added);
    this.#run();
  }

  stop() {
    this.#stopping?.abort();
  }

  /// Sends failed images again, and those that were not sent because of a stop.
  retry() {
    this.items.filter(({ file, error }) => file && error).forEach((item) => Object.assign(item, { error: undefined, word: "waiting" }));
    this.#next = 0;
    this.#tell("reset");
    this.#run();
  }

  clear() {
    this.items.forEach(({ index }) => sessionStorage.removeItem(key(index)));
    this.items = [];
    this.passedOver = [];
    this.#next = 0;
    this.#tell("reset");
  }

  /// Sends one image at a time, so that the appliance has capacity left for captures.
  async #run() {
    if (this.isRunning) return;
    this.isRunning = true;
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    for (; this.#next < this.items.length; this.#next += 1) {
      const item = this.items[this.#next];
      if (!canSend(item)) continue;
      await this.#send(item, signal);
      if (signal.aborted) break;
    }
    this.isRunning = false;
    this.#tell("progress");
  }

  async #send(item, signal) {
    let seconds = PAUSE.first;
    for (let missed = 0; ; ) {
      this.#show(item, "analysing …");
      try {
        const options = { body: item.file, headers: { "Content-Type": "application/octet-stream" }, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) };
        const query = item.isKept ? `?${new URLSearchParams({ store: true, name: item.name })}` : "";
        const { quality, strongest, ...result } = await post(`/v1/classify${query}`, options);
        item.result = result;
        break;
      } catch (error) {
        if (signal.aborted) return this.#show(item, "waiting");
        const isOutage = error instanceof Problem ? OUTAGE.includes(error.status) : error instanceof Unreachable && !(await isReachable());
        if (error.status === 401) await this.#wait(item, "a token is needed", signal, new Promise((resolve) => access.addEventListener("login", resolve, { once: true })));
        else if (isOutage) {
          await this.#wait(item, error.message, signal, sleep((error.retryAfter ?? seconds) * 1000));
          seconds = Math.min(seconds * 2, PAUSE.longest);
        } else if (!(error instanceof Unreachable && missed++ < RETRIES)) {
          item.error = error.message ?? String(error);
          break;
        }
        if (signal.aborted) return this.#show(item, "waiting");
      }
    }
    this.#keep(item);
    this.#show(item, "done");
  }

  /// Waits for `end` or a stop.
  async #wait(item, why, signal, end) {
    this.pause = why;
    this.#show(item, "waiting");
    await Promise.race([end, new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))]);
    this.pause = "";
  }

  #show(item, word) {
    item.word = word;
    this.#tell("item", item);
    this.#tell("progress");
  }

  /// Stores an item for the next load of the page.
  #keep({ index, name, isKept, result, error }) {
    try {
      sessionStorage.setItem(key(index), JSON.stringify({ name, isKept, result, error }));
    } catch {
      // The storage is full or blocked: what follows is lost when the page is loaded again.
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/// Whether the appliance answers at all.
const isReachable = () =>
  get("/v1/health/live").then(
    () => true,
    (error) => !(error instanceof Unreachable),
  );

export const uploads = new Uploads();
