import { percent, shorten } from "../map/format";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** What the model says, before any map of it. */
export class Header {
  readonly element: HTMLElement;
  readonly #label = make("strong", { "data-field": "prediction" });
  readonly #probability = make("span", { "data-field": "probability" });
  readonly #model = make("p", { class: "quiet model" });

  constructor() {
    const says = make("p", { class: "says" }, "The model says ", this.#label, " ", this.#probability);
    this.element = make("header", {}, says, this.#model);
  }

  update({ info }: Scene): void {
    const [best] = info.prediction;
    this.element.hidden = !best;
    setText(this.#label, shorten(best?.label ?? ""));
    const probability = best?.probability ?? null;
    setText(this.#probability, probability === null ? "" : `with probability ${percent(100 * probability)}`);
    setAttribute(this.#probability, "data-value", probability);
    setText(this.#model, [info.model, ...info.notes].filter(Boolean).join(" · "));
    setAttribute(this.#model, "title", info.preprocess ? `Preprocessing: ${info.preprocess}` : null);
  }
}
