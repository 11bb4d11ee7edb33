import type { Store } from "../state/store";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** What is on display, what is being computed, what went wrong. All of it in a place of fixed size: nothing moves. */
export class Notices {
  readonly element: HTMLElement;
  readonly #title = make("h3", { class: "title" });
  readonly #line = make("p", { class: "quiet line", "data-field": "state" });
  readonly #alert = make("p", { class: "line alert", role: "alert" });
  readonly #stop = make("button", { type: "button", class: "stop" }, "Stop");
  readonly #sentence = make("p");
  readonly #traceback = make("pre", { tabindex: 0, role: "region", "aria-label": "Traceback" });
  readonly #details = make("details", { class: "details" }, make("summary", { class: "stop" }, "Traceback"));

  constructor(store: Store, signal: AbortSignal) {
    this.#stop.addEventListener("click", () => store.stop(), { signal });
    this.#details.append(make("div", { class: "sheet" }, this.#sentence, this.#traceback));
    this.#details.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !this.#details.open) return;
        this.#details.open = false;
        this.#details.querySelector("summary")?.focus();
      },
      { signal },
    );
    const words = make("div", { class: "words" }, this.#title, this.#line, this.#alert);
    this.element = make("div", { class: "notices" }, words, this.#stop, this.#details);
  }

  update({ notice }: Scene): void {
    const { title, line, stop, trouble } = notice;
    setText(this.#title, title);
    setAttribute(this.#title, "title", title);
    setText(this.#line, line);
    setAttribute(this.#line, "title", line || null);
    this.#line.hidden = trouble !== null;
    this.#alert.hidden = trouble === null;
    setText(this.#alert, trouble?.message ?? "");
    setAttribute(this.#alert, "title", trouble?.message);
    // Hidden, not gone: its place stays.
    this.#stop.style.visibility = stop ? "visible" : "hidden";
    this.#stop.hidden = trouble !== null;
    this.#details.hidden = trouble === null;
    setText(this.#sentence, trouble?.message ?? "");
    setText(this.#traceback, trouble?.traceback ?? "");
    this.#traceback.hidden = !trouble?.traceback;
    if (!trouble) this.#details.open = false;
  }
}
