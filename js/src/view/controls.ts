import { percent } from "../map/format";
import { percentAt, positionOf, STEPS } from "../map/scale";
import type { Store } from "../state/store";
import { make, setAttribute, setText, uniqueId } from "./dom";
import type { Scene } from "./scene";

/** Sign, threshold and opacity: choices of the view, which never wait for anything. */
export class Controls {
  readonly element: HTMLElement;
  readonly #signs: Record<string, HTMLInputElement> = {};
  readonly #threshold = make("input", { type: "range", min: 0, max: STEPS, step: 1 });
  readonly #opacity = make("input", { type: "range", min: 0, max: 100, step: 1 });
  readonly #area = make("output", { "data-field": "area", "aria-live": "off" });
  readonly #mass = make("output", { "data-field": "mass", "aria-live": "off", class: "quiet" });
  readonly #percent = make("output", { "data-field": "opacity", "aria-live": "off" });

  constructor(store: Store, signal: AbortSignal) {
    const group = make("fieldset", { class: "sign" }, make("legend", {}, "Sign"));
    const name = uniqueId("sign");
    const options = make("div", { class: "options" });
    for (const sign of ["absolute", "signed"]) {
      const radio = make("input", { type: "radio", name, value: sign });
      radio.addEventListener(
        "change",
        () => {
          store.set("sign", sign);
          store.save();
        },
        { signal },
      );
      this.#signs[sign] = radio;
      options.append(make("label", {}, radio, make("span", {}, sign)));
    }
    group.append(options);
    drag(this.#threshold, store, signal, "threshold", percentAt);
    drag(this.#opacity, store, signal, "opacity", (position) => position / 100);
    this.element = make(
      "section",
      { class: "controls", "aria-label": "View" },
      group,
      slider("Threshold", this.#threshold, this.#area, this.#mass),
      slider("Opacity", this.#opacity, this.#percent),
    );
  }

  update(scene: Scene): void {
    for (const [sign, radio] of Object.entries(this.#signs)) radio.checked = sign === scene.sign;
    const { drawn, threshold, opacity } = scene;
    // The position is not written back while it says the same: rounding would move the knob under the hand.
    if (percentAt(this.#threshold.valueAsNumber) !== threshold) {
      this.#threshold.value = String(positionOf(threshold));
    }
    if (this.#opacity.valueAsNumber / 100 !== opacity)
      this.#opacity.value = String(Math.round(100 * opacity));
    const area = drawn ? drawn.kept.area : threshold / 100;
    const mass = drawn?.kept.mass ?? null;
    setText(this.#area, area > 0 ? `strongest ${percent(100 * area)} of the area` : "hides everything");
    setAttribute(this.#area, "data-value", area);
    setAttribute(this.#area, "data-count", drawn?.kept.count);
    setText(
      this.#mass,
      !drawn
        ? ""
        : mass === null
          ? "every value is zero"
          : `shows ${percent(100 * mass)} of the total |value|`,
    );
    setAttribute(this.#mass, "data-value", mass);
    setText(this.#percent, percent(100 * opacity));
    setAttribute(this.#threshold, "aria-valuetext", keptWords(area, mass));
    setAttribute(this.#opacity, "aria-valuetext", percent(100 * opacity));
  }
}

export function keptWords(area: number, mass: number | null): string {
  if (area === 0) return "keeps nothing";
  const share = mass === null ? "" : `, ${percent(100 * mass)} of the total`;
  return `keeps the strongest ${percent(100 * area)} of the area${share}`;
}

/** A slider sets its trait while it moves, which browsers tell of once a frame, and saves it once when it is let go. */
function drag(
  input: HTMLInputElement,
  store: Store,
  signal: AbortSignal,
  trait: string,
  valueAt: (position: number) => number,
): void {
  input.addEventListener("input", () => store.set(trait, valueAt(input.valueAsNumber)), { signal });
  input.addEventListener("change", () => store.save(), { signal });
}

function slider(name: string, input: HTMLInputElement, says: HTMLElement, more?: HTMLElement): HTMLElement {
  const id = uniqueId("slider");
  input.id = id;
  const head = make("div", { class: "head" }, make("label", { for: id }, name), says);
  return make("div", { class: "slider" }, head, input, more ?? null);
}
