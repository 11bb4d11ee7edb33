import { shorten } from "../map/format";
import type { Store } from "../state/store";
import { make, rootOf, setAttribute, setText } from "./dom";
import { titleOf, troubleWords } from "./notice";
import type { Scene } from "./scene";

/** What is on display, what is being computed, what went wrong; all of it in one place, so that little moves. */
export class Notices {
  readonly element: HTMLElement;
  readonly #subject = make("strong", { "data-field": "subject" });
  readonly #about = make("span", { "data-field": "about" });
  readonly #title = make("h3", { class: "title" }, this.#subject, this.#about);
  readonly #line = make("p", { class: "quiet line", "data-field": "state" });
  readonly #alert = make("p", { class: "alert", role: "alert" });
  readonly #stop = make("button", { type: "button", class: "small" }, "Stop");
  readonly #again = make("button", { type: "button", class: "small" }, "Go on");
  readonly #sentence = make("p");
  readonly #traceback = make("pre", { tabindex: 0, role: "region", "aria-label": "Traceback" });
  readonly #details = make("details", {}, make("summary", { class: "small" }, "Traceback"));

  /** `leave` takes the focus when what has it goes away. */
  constructor(
    store: Store,
    signal: AbortSignal,
    readonly leave: () => void,
  ) {
    this.#stop.addEventListener("click", () => store.stop(), { signal });
    this.#again.addEventListener("click", () => store.goOn(), { signal });
    this.#details.append(make("div", { class: "sheet" }, this.#sentence, this.#traceback));
    this.#details.addEventListener(
      "toggle",
      () => {
        // The last line of a traceback says what happened.
        this.#traceback.scrollTop = this.#traceback.scrollHeight;
      },
      { signal },
    );
    this.#details.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !this.#details.open) return;
        this.#details.open = false;
        this.#details.querySelector("summary")?.focus();
      },
      { signal },
    );
    const row = make(
      "div",
      { class: "row" },
      this.#line,
      this.#alert,
      this.#stop,
      this.#again,
      this.#details,
    );
    this.element = make("div", { class: "notices" }, this.#title, row);
  }

  update({ notice, drawn }: Scene): void {
    const { subject, about, line, hint, stop, again, trouble } = notice;
    setText(this.#subject, subject);
    setText(this.#about, about && ` · ${about}`);
    setAttribute(this.#title, "title", shorten(titleOf(notice), 300));
    const failed = trouble !== null && !stop;
    setText(this.#line, line);
    setAttribute(this.#line, "title", hint || line || null);
    this.#line.hidden = failed;
    this.#alert.hidden = !failed;
    const words = failed ? troubleWords(trouble, drawn) : "";
    setText(this.#alert, words);
    setAttribute(this.#alert, "title", words || null);
    setText(this.#sentence, words);
    setText(this.#traceback, trouble?.traceback ?? "");
    this.#traceback.hidden = !trouble?.traceback;
    if (!failed) this.#details.open = false;
    this.#show(this.#stop, stop);
    setText(this.#again, again || "Go on");
    this.#show(this.#again, again !== "" && !failed);
    this.#show(this.#details, failed && (trouble.traceback !== "" || words.length > 80));
  }

  /** The focus must not fall out of the widget with the button that had it. */
  #show(part: HTMLElement, shown: boolean): void {
    if (part.hidden === !shown) return;
    const had = part.contains(rootOf(this.element).activeElement);
    part.hidden = !shown;
    if (had && !shown) this.leave();
  }
}
