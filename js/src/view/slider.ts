import type { Store } from "../state/store";
import { listen, make, uniqueId } from "./dom";

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
export function makeSlider(
  name: string,
  store: Store,
  options: SliderOptions,
  says: HTMLElement,
  more: HTMLElement,
) {
  const { trait, steps, valueAt, filled } = options;
  const id = uniqueId("slider");
  const input = make("input", { type: "range", id, min: 0, max: steps, step: 1, "data-filled": filled });
  listen(input, "input", () => store.set(trait, valueAt(input.valueAsNumber)));
  listen(input, "change", () => store.save());
  const head = make("div.head", make("label", { for: id }, name), says);
  const element = make("div.slider", head, input, more);

  function update(value: number, words: string): void {
    const { valueAt, positionOf, steps } = options;
    // The position is not written back while it says the same: rounding would move the knob under the hand.
    if (valueAt(input.valueAsNumber) !== value) input.value = String(positionOf(value));
    input.style.setProperty("--at", String(input.valueAsNumber / steps));
    input.setAttribute("aria-valuetext", words);
  }

  return { element, input, update };
}
