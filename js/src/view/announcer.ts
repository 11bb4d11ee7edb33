import { make } from "./dom";

const LEAD = 100;
const PAUSE = 1000;

/** A live region that speaks at most once a second, and then of what is so by then. */
export class Announcer {
  readonly element = make("div", { class: "spoken", "aria-live": "polite", role: "status" });
  #next: (() => string) | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(readonly signal: AbortSignal) {
    signal.addEventListener("abort", () => this.#timer !== null && clearTimeout(this.#timer));
  }

  say(words: () => string): void {
    if (this.signal.aborted) return;
    this.#next = words;
    // Not before what is to be read aloud has been drawn.
    this.#timer ??= setTimeout(() => this.#speak(), LEAD);
  }

  #speak(): void {
    this.#timer = null;
    if (!this.#next) return;
    this.element.textContent = this.#next();
    this.#next = null;
    this.#timer = setTimeout(() => this.#speak(), PAUSE);
  }
}
