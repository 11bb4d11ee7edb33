import type { Store } from "../state/store";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** What is on display, what is being computed, what went wrong. */
export class Notices {
  readonly element: HTMLElement;
  readonly #title = make("h3", { class: "title" });
  readonly #line = make("p", { class: "quiet", "data-field": "state" });
  readonly #stop = make("button", { type: "button", class: "stop" }, "Stop");
  readonly #trouble = make("div", { class: "trouble", hidden: true });
  readonly #alert = make("p", { role: "alert" });
  readonly #traceback = make("pre", { tabindex: 0, "aria-label": "Traceback" });
  readonly #details = make("details", {}, make("summary", {}, "Traceback"), this.#traceback);

  constructor(store: Store, signal: AbortSignal) {
    this.#stop.addEventListener("click", () => store.stop(), { signal });
    this.#trouble.append(this.#alert, this.#details);
    const words = make("div", { class: "words" }, this.#title, this.#line);
    this.element = make(
      "div",
      { class: "notices" },
      make("div", { class: "row" }, words, this.#stop),
      this.#trouble,
    );
  }

  update({ notice }: Scene): void {
    const { title, line, stop, trouble } = notice;
    setText(this.#title, title);
    setAttribute(this.#title, "title", title);
    setText(this.#line, line);
    setAttribute(this.#line, "title", line || null);
    // Hidden, not gone: its place stays, so that nothing moves.
    this.#stop.style.visibility = stop ? "visible" : "hidden";
    this.#trouble.hidden = trouble === null;
    setText(this.#alert, trouble?.message ?? "");
    setText(this.#traceback, trouble?.traceback ?? "");
    this.#details.hidden = !trouble?.traceback;
    if (!trouble) this.#details.open = false;
  }
}
