import { percent, shorten } from "../map/format";
import type { Info } from "../map/header";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** What the model says, before any map of it. */
export class Header {
  readonly element: HTMLElement;
  readonly #before = make("span");
  readonly #label = make("strong", { "data-field": "prediction" });
  readonly #probability = make("span", { "data-field": "probability" });
  readonly #model = make("p", { class: "quiet model" });
  readonly #notes = make("ul", { class: "notes", "aria-label": "Notes" });

  constructor() {
    const says = make("p", { class: "says" }, this.#before, this.#label, this.#probability);
    this.element = make("header", {}, says, this.#model, this.#notes);
  }

  update({ info, labels }: Scene): void {
    const [best] = info.prediction;
    this.element.hidden = !best && info.notes.length === 0;
    const name = best ? labels.distinct(best.index, best.label) : "";
    const [before, after] = best ? sayings(info) : ["", ""];
    setText(this.#before, before);
    setText(this.#label, shorten(name));
    setText(this.#probability, after);
    setAttribute(this.#probability, "data-value", best?.probability);
    setText(this.#model, info.model);
    setAttribute(this.#model, "title", info.preprocess ? `Preprocessing: ${info.preprocess}` : null);
    this.#notes.hidden = info.notes.length === 0;
    const said = [...this.#notes.children].map((one) => one.textContent).join("\n");
    if (said !== info.notes.join("\n")) {
      this.#notes.replaceChildren(...info.notes.map((note) => make("li", {}, note)));
    }
  }
}

/**
 * The words before and after the most probable class. Scores that go through a sigmoid do not choose among classes: one of 3 %
 * is not what the model says.
 */
function sayings({ prediction, probabilityKind }: Info): [string, string] {
  const probability = prediction[0]?.probability ?? null;
  if (probability === null) return ["The model says ", ""];
  const share = percent(100 * probability);
  if (probabilityKind === "sigmoid") return ["The model gives ", ` a probability of ${share}`];
  return ["The model says ", ` with probability ${share}`];
}
