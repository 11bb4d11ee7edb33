import { make } from "./dom";

const LEAD = 100;
const PAUSE = 1000;

/** A live region that speaks at most once a second, and then of what is so by then. */
export function makeAnnouncer(signal: AbortSignal) {
  const element = make("div.spoken", { "aria-live": "polite", role: "status" });
  let next: (() => string) | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  signal.addEventListener("abort", () => timer !== null && clearTimeout(timer));

  function say(words: () => string): void {
    if (signal.aborted) return;
    next = words;
    // Not before what is to be read aloud has been drawn.
    timer ??= setTimeout(() => speak(), LEAD);
  }

  function speak(): void {
    timer = null;
    if (!next) return;
    element.textContent = next();
    next = null;
    timer = setTimeout(() => speak(), PAUSE);
  }

  return { element, say };
}
