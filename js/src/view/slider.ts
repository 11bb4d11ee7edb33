import type { Store } from "../state/store";
import { make, uniqueId } from "./dom";

export interface SliderOptions {
  readonly trait: string;
  readonly steps: number;
  readonly valueAt: (position: number) => number;
  readonly positionOf: (value: number) => number;
  /** The side of the knob that is shown as filled. */
  readonly filled: "before" | "after";
}

/**
 * A slider of a trait: it sets the trait while it moves, which browsers tell of once a frame, and saves it once when it is
 * let go.
 */
export class Slider {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;

  constructor(
    name: string,
    store: Store,
    signal: AbortSignal,
    readonly options: SliderOptions,
    says: HTMLElement,
    more: HTMLElement,
  ) {
    const { trait, steps, valueAt, filled } = options;
    const id = uniqueId("slider");
    this.input = make("input", { type: "range", id, min: 0, max: steps, step: 1, "data-filled": filled });
    const { input } = this;
    input.addEventListener("input", () => store.set(trait, valueAt(input.valueAsNumber)), { signal });
    input.addEventListener("change", () => store.save(), { signal });
    const head = make("div", { class: "head" }, make("label", { for: id }, name), says);
    this.element = make("div", { class: "slider" }, head, input, more);
  }

  update(value: number, words: string): void {
    const { valueAt, positionOf, steps } = this.options;
    // The position is not written back while it says the same: rounding would move the knob under the hand.
    if (valueAt(this.input.valueAsNumber) !== value) this.input.value = String(positionOf(value));
    this.input.style.setProperty("--at", String(this.input.valueAsNumber / steps));
    this.input.setAttribute("aria-valuetext", words);
  }
}
