import { percent } from "../map/format";
import { percentAt, positionOf, STEPS } from "../map/scale";
import type { Store } from "../state/store";
import { make, rootOf, setAttribute, setText, uniqueId } from "./dom";
import { covering, type Scene } from "./scene";
import { Slider, type SliderOptions } from "./slider";
import { areaWords, keptWords, massWords, pictureWord } from "./words";

const THRESHOLD: SliderOptions = {
  trait: "threshold",
  steps: STEPS,
  valueAt: percentAt,
  positionOf,
  // Filled is what is kept, so that it shrinks with the map.
  filled: "after",
};

const OPACITY: SliderOptions = {
  trait: "opacity",
  steps: 100,
  valueAt: (position) => position / 100,
  positionOf: (value) => Math.round(100 * value),
  filled: "before",
};

/** Sign, threshold and opacity: choices of the view, which never wait for anything. */
export class Controls {
  readonly element: HTMLElement;
  readonly #signs: Record<string, HTMLInputElement> = {};
  readonly #threshold: Slider;
  readonly #opacity: Slider;
  readonly #exact = make("input", {
    type: "number",
    min: 0,
    max: 100,
    step: "any",
    "aria-label": "Threshold in percent",
    title: "Percent of the area that is kept, strongest first",
  });
  readonly #area = make("output", { "data-field": "area", "aria-live": "off" });
  readonly #mass = make("output", { "data-field": "mass", "aria-live": "off" });
  readonly #percent = make("output", { "data-field": "opacity", "aria-live": "off" });
  readonly #grey = make("p", { class: "quiet" });

  constructor(store: Store, signal: AbortSignal) {
    const exact = make("span", { class: "exact" }, this.#exact, "%");
    const kept = make("p", { class: "quiet kept" }, this.#area, this.#mass);
    this.#threshold = new Slider("Threshold", store, signal, THRESHOLD, exact, kept);
    this.#opacity = new Slider("Opacity", store, signal, OPACITY, this.#percent, this.#grey);
    this.#exact.addEventListener(
      "input",
      () => {
        const value = this.#exact.valueAsNumber;
        if (value >= 0 && value <= 100) store.set("threshold", value);
      },
      { signal },
    );
    this.#exact.addEventListener(
      "change",
      () => {
        // What was typed and is no percentage gives way to the one that holds.
        this.#exact.value = String(store.traits.threshold);
        store.save();
      },
      { signal },
    );
    this.element = make(
      "div",
      { class: "controls", role: "group", "aria-label": "View" },
      this.#sign(store, signal),
      this.#threshold.element,
      this.#opacity.element,
    );
  }

  update(scene: Scene): void {
    const { drawn, threshold, opacity, info } = scene;
    for (const [sign, radio] of Object.entries(this.#signs)) radio.checked = sign === scene.sign;
    const area = drawn ? drawn.kept.area : threshold / 100;
    const typing = rootOf(this.#exact).activeElement === this.#exact;
    if (!typing && this.#exact.valueAsNumber !== threshold) this.#exact.value = String(threshold);
    const none = drawn?.field.finite === 0;
    setText(this.#area, none ? "" : areaWords(area));
    setAttribute(this.#area, "data-value", area);
    setAttribute(this.#area, "data-count", drawn?.kept.count);
    // Where all of the area is shown, all of the total is.
    const whole = area >= 1 && drawn?.kept.mass !== null;
    setText(this.#mass, !drawn || whole ? "" : none ? massWords(drawn) : ` · ${massWords(drawn)}`);
    setAttribute(this.#mass, "data-value", drawn?.kept.mass);
    this.#threshold.update(threshold, drawn ? keptWords(drawn) : areaWords(area));
    setText(this.#percent, percent(100 * opacity));
    this.#opacity.update(opacity, percent(100 * opacity));
    setText(this.#grey, covering(scene) > 0 ? `${pictureWord(info)} in grey: colour is the map's alone` : "");
  }

  #sign(store: Store, signal: AbortSignal): HTMLElement {
    const name = uniqueId("sign");
    const options = make("div", { class: "options" });
    for (const [sign, says] of [
      ["absolute", "How strongly the score depends on each place"],
      ["signed", "Where more would raise the score, and where it would lower it"],
      ["positive", "Only where more would raise the score"],
      ["negative", "Only where more would lower the score"],
    ] as const) {
      const radio = make("input", { type: "radio", name, value: sign, title: says });
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
    return make("fieldset", { class: "sign" }, make("legend", {}, "Sign"), options);
  }
}
