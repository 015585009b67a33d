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
/// Statuses of a proxy that got no answer from the appliance.
const NO_ANSWER = [502, 504];
/// Statuses that concern the appliance, not the image: the queue, the model, the records, the disk.
const OUTAGE = [429, 503, 507, ...NO_ANSWER];
/// The state of an image that was to be stored, until the answer arrives. Such an image is not sent again, because the
/// records could then have it twice.
const IN_DOUBT = { isInDoubt: true, error: "perhaps stored: no answer arrived; see Slides" };

/// Images whose cells are held, for the picture with its marks: the latest ones.
const WITH_CELLS = 50;

const key = (index) => `upload ${index}`;
const isLost = ({ file, result, error }) => !file && !result && !error;
const canResume = ({ file, result, isInDoubt }) => !file && !result && !isInDoubt;
const canRetry = ({ file, error, isInDoubt }) => file && error && !isInDoubt;
const canSend = ({ file, result, error }) => file && !result && !error;
/// Files with the same name, size and time are the same file: a name alone is not enough.
const identity = ({ name, size, time }) => JSON.stringify([name, size, time]);
/// Whether the appliance refused the request, so that it stored nothing.
const isRefusal = (error) => error instanceof Problem && !NO_ANSWER.includes(error.status);

/// Dispatches `add` with the new items, `item` with one that changed, `progress`, and `reset` when many items changed.
class Uploads extends EventTarget {
  /// In the order in which they are sent: `{index, name, size, time, file, isKept, umPerPixel, word}`, later with `result`
  /// or `error`, and `cells` while they are held.
  items = [];
  /// The files of the last choice that are not sent: `{name, why}`.
  omitted = [];
  isRunning = false;
  /// Why nothing is sent at present; empty otherwise.
  pause = "";
  /// All items before this one were sent, or are being sent.
  #next = 0;
  #stopping = null;
  #withCells = [];

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

  /// Whether a lost image was to be stored.
  get isLostKept() {
    return this.items.some((item) => isLost(item) && item.isKept);
  }

  /// Whether `retry` would send something.
  get canRetry() {
    return this.items.some((item) => canRetry(item) || canSend(item));
  }

  /// Adds files and sends them. Files that the page lost take the place that they had, and are then stored if `isKept`.
  /// Meanwhile, files that are in the list already, and stored if they should be, are omitted. `umPerPixel` is the size of
  /// their pixels, or null; `omitted` are files that were chosen and are not sent.
  add(files, isKept, umPerPixel, omitted = []) {
    const lost = new Map(this.items.filter(canResume).map((item) => [identity(item), item]));
    const listed = this.items.filter((item) => lost.size > 0 && !canResume(item) && (item.isKept || !isKept));
    const known = new Set(listed.map(identity));
    const isResuming = lost.size > 0;
    const added = [];
    this.omitted = [...omitted];
    for (const { name, file } of files) {
      const chosen = { name, size: file.size, time: file.lastModified, file, isKept, umPerPixel, error: undefined, word: "waiting" };
      const item = lost.get(identity(chosen));
      if (item) {
        lost.delete(identity(chosen));
        this.#keep(Object.assign(item, chosen));
      } else if (known.has(identity(chosen))) this.omitted.push({ name, why: "already in the list" });
      else added.push({ index: this.items.length + added.length, ...chosen });
    }
    this.items.push(...added);
    added.forEach((item) => this.#keep(item));
    if (isResuming) this.#tell("reset");
    else this.#tell("add", added);
    this.#run();
  }

  stop() {
    this.#stopping?.abort();
  }

  /// Sends failed images again, and those that were not sent because of a stop.
  retry() {
    this.items.filter(canRetry).forEach((item) => Object.assign(item, { error: undefined, word: "waiting" }));
    this.#tell("reset");
    this.#run();
  }

  clear() {
    this.items.forEach(({ index }) => sessionStorage.removeItem(key(index)));
    this.items = [];
    this.omitted = [];
    this.#withCells = [];
    this.#tell("reset");
  }

  /// Sends one image at a time, so that the appliance has capacity left for captures.
  async #run() {
    this.#next = 0;
    if (this.isRunning) return;
    this.isRunning = true;
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    for (let item = this.#take(); item && !signal.aborted; item = this.#take()) await this.#send(item, signal);
    this.isRunning = false;
    this.#tell("progress");
  }

  /// The next item to send.
  #take() {
    while (this.#next < this.items.length) {
      const item = this.items[this.#next++];
      if (canSend(item)) return item;
    }
    return null;
  }

  async #send(item, signal) {
    let seconds = PAUSE.first;
    for (let missed = 0; ; ) {
      this.#show(item, "analysing …");
      let isInDoubt = false;
      try {
        if (item.isKept) {
          // During an outage, nothing is sent that would be in doubt.
          await get("/v1/health/live");
          signal.throwIfAborted();
          isInDoubt = true;
          this.#keep({ ...item, ...IN_DOUBT });
        }
        const options = { body: item.file, headers: { "Content-Type": "application/octet-stream" }, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) };
        const query = new URLSearchParams({ ...(item.isKept && { store: true, name: item.name }), ...(item.umPerPixel && { um_per_pixel: item.umPerPixel }) });
        const { quality, strongest, cells, ...result } = await post(`/v1/classify${query.size > 0 ? `?${query}` : ""}`, options);
        item.result = result;
        if (cells?.length > 0) this.#hold(item, cells);
        break;
      } catch (error) {
        if (isInDoubt && !isRefusal(error)) {
          Object.assign(item, IN_DOUBT);
          break;
        }
        if (isInDoubt) this.#keep(item);
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

  #hold(item, cells) {
    item.cells = cells;
    this.#withCells.push(item);
    if (this.#withCells.length > WITH_CELLS) delete this.#withCells.shift().cells;
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
  #keep({ index, name, size, time, isKept, umPerPixel, result, error, isInDoubt }) {
    try {
      sessionStorage.setItem(key(index), JSON.stringify({ name, size, time, isKept, umPerPixel, result, error, isInDoubt }));
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
