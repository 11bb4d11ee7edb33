import { percent } from "../map/format";
import { percentAt, positionOf, STEPS } from "../map/scale";
import type { Store } from "../state/store";
import { listen, make, output, rootOf, setAttribute, setText } from "./dom";
import { makeRadios, type Option } from "./fields";
import { covering, type Scene } from "./scene";
import { makeSlider, type SliderOptions } from "./slider";
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

const BOXES: SliderOptions = { ...OPACITY, trait: "box_threshold", filled: "after" };

const SIGNS: readonly Option[] = [
  { value: "absolute", title: "How strongly the score depends on each place" },
  { value: "signed", title: "Where more would raise the score, and where it would lower it" },
  { value: "positive", title: "Only where more would raise the score" },
  { value: "negative", title: "Only where more would lower the score" },
].map((one) => ({ ...one, label: one.value }));

const NO_MAGNITUDES = "This page does not keep the channels' magnitudes.";
const NO_SIGNS = "This page keeps magnitudes alone.";

/** Sign, threshold and opacity: choices of the view, which never wait for anything. */
export function makeControls(store: Store) {
  const signs = makeRadios("Sign", SIGNS, (sign) => {
    store.set("sign", sign);
    store.save();
  });
  const typed = make("input", {
    type: "number",
    min: 0,
    max: 100,
    step: "any",
    "aria-label": "Threshold in percent",
    title: "Percent of the area that is kept, strongest first",
  });
  const areaOutput = output("area");
  const massOutput = output("mass");
  const opacityOutput = output("opacity");
  const grey = make("p.quiet");
  const left = make("p.quiet");
  signs.element.append(left);
  const exact = make("span.exact", typed, "%");
  const kept = make("p.quiet.kept", areaOutput, massOutput);
  const thresholdSlider = makeSlider("Threshold", store, THRESHOLD, exact, kept);
  const opacitySlider = makeSlider("Opacity", store, OPACITY, opacityOutput, grey);
  listen(typed, "input", () => {
    const value = typed.valueAsNumber;
    if (value >= 0 && value <= 100) store.set("threshold", value);
  });
  listen(typed, "change", () => {
    // What was typed and is no percentage gives way to the one that holds.
    typed.value = String(store.traits.threshold);
    store.save();
  });
  const boxesOutput = output("box-threshold");
  const boxesSlider = makeSlider(
    "Boxes from",
    store,
    BOXES,
    boxesOutput,
    make("p.quiet", "of probability are drawn"),
  );
  const element = make(
    "div.controls",
    { role: "group", "aria-label": "View" },
    signs.element,
    thresholdSlider.element,
    opacitySlider.element,
    boxesSlider.element,
  );

  function update(scene: Scene): void {
    const { drawn, threshold, opacity, info } = scene;
    const offered = scene.store.traits.signs;
    signs.update(scene.sign, offered);
    left.hidden = offered.length === SIGNS.length;
    setText(left, offered.length > 1 ? NO_MAGNITUDES : NO_SIGNS);
    const area = drawn ? drawn.kept.area : threshold / 100;
    const typing = rootOf(typed).activeElement === typed;
    if (!typing && typed.valueAsNumber !== threshold) typed.value = String(threshold);
    const none = drawn?.field.finite === 0;
    setText(areaOutput, none ? "" : areaWords(area));
    setAttribute(areaOutput, "data-value", area);
    setAttribute(areaOutput, "data-count", drawn?.kept.count);
    // Where all of the area is shown, all of the total is.
    const whole = area >= 1 && drawn?.kept.mass !== null;
    setText(massOutput, !drawn || whole ? "" : none ? massWords(drawn) : ` · ${massWords(drawn)}`);
    setAttribute(massOutput, "data-value", drawn?.kept.mass);
    thresholdSlider.update(threshold, drawn ? keptWords(drawn) : areaWords(area));
    setText(opacityOutput, percent(100 * opacity));
    opacitySlider.update(opacity, percent(100 * opacity));
    const least = scene.store.traits.boxThreshold;
    boxesSlider.element.hidden = info.spots?.kind !== "detection";
    setText(boxesOutput, percent(100 * least));
    boxesSlider.update(least, percent(100 * least));
    setText(grey, covering(scene) > 0 ? `${pictureWord(info)} in grey: colour is the map's alone` : "");
  }

  return { element, update };
}
