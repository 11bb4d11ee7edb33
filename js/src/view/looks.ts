import { tableNames } from "../map/colour";
import { percent } from "../map/format";
import type { Store } from "../state/store";
import { make } from "./dom";
import { Checkbox, fold, type Option, Radios, Select } from "./fields";
import type { Scene } from "./scene";
import { Slider } from "./slider";
import { channelName, pictureWord } from "./words";

const REDUCTIONS: readonly Option[] = [
  { value: "max", label: "the strongest", title: "The value of the channel that is largest in magnitude" },
  { value: "sum", label: "their sum" },
  { value: "mean", label: "their mean" },
  { value: "l2", label: "their length (L2)", title: "The root of the sum of the squares" },
];
const CHANNELS = 16;

/** How the map is looked at, beyond what is always in sight. */
export class Looks {
  readonly element: HTMLElement;
  readonly #look: Radios;
  readonly #frame: Radios;
  readonly #clip: Slider;
  readonly #clipped = make("output", { "data-field": "clip", "aria-live": "off" });
  readonly #colormap: Select;
  readonly #channels: Select;
  readonly #scale: Select;
  readonly #grey: Checkbox;
  readonly #cells: Checkbox;

  constructor(store: Store, signal: AbortSignal) {
    const put = (name: string, value: unknown) => {
      store.set(name, value);
      store.save();
    };
    this.#look = new Radios(
      "Show",
      [
        { value: "overlay", label: "overlay", title: "The map over the photograph" },
        { value: "map", label: "map" },
        { value: "image", label: "image" },
      ],
      signal,
      (value) => put("look", value),
    );
    this.#frame = new Radios(
      "Frame",
      [
        { value: "model", label: "what the model saw" },
        { value: "original", label: "whole picture" },
      ],
      signal,
      (value) => put("frame", value),
    );
    this.#clip = new Slider(
      "Clip",
      store,
      signal,
      {
        trait: "clip",
        steps: 500,
        valueAt: (position) => Math.round(500 + position) / 10,
        positionOf: (value) => Math.round(10 * value) - 500,
        filled: "before",
      },
      this.#clipped,
      make("p", { class: "quiet" }, "Values beyond this percentile have the colour of the end."),
    );
    this.#colormap = new Select("Colormap", signal, (value) => put("colormap", value));
    this.#channels = new Select("Channels", signal, (value) => put("reduction", value));
    this.#scale = new Select("Scale", signal, (value) => {
      // What is locked is the scale there is.
      if (value === "locked") store.set("level", this.#level);
      put("scale", value);
    });
    this.#grey = new Checkbox("Photograph in grey", signal, (on) => put("photo", on ? "grey" : "colour"));
    this.#cells = new Checkbox("Cells as they are", signal, (on) => put("cells", on));
    this.element = fold(
      "More of the view",
      this.#look.element,
      this.#frame.element,
      this.#channels.element,
      this.#colormap.element,
      this.#clip.element,
      this.#scale.element,
      this.#grey.element,
      this.#cells.element,
    );
  }

  #level = 0;

  update(scene: Scene): void {
    const { store, look, sign, reduction, clip, drawn, info, panels } = scene;
    const { traits } = store;
    this.#level = drawn?.level ?? 0;
    this.#look.update(look);
    this.#frame.element.hidden = info.original === null;
    this.#frame.update(traits.frame);
    const channels = drawn?.header.shape[0] ?? info.channels.length;
    const usual = sign === "absolute" ? "the strongest" : "their sum";
    const each = Array.from({ length: Math.min(channels, CHANNELS) }, (_, at) => ({
      value: String(at),
      label: `${channelName(info, drawn, at)} alone`,
    }));
    this.#channels.element.hidden = channels < 2;
    this.#channels.update(
      [{ value: "default", label: `as usual: ${usual}` }, ...REDUCTIONS, ...each],
      reduction,
    );
    const tables = tableNames(sign).map(({ name, uniform }, at) => ({
      value: at === 0 ? "" : name,
      label: uniform ? name : `${name} (not uniform)`,
    }));
    const named = traits.colormap;
    this.#colormap.update(tables, tables.some((one) => one.value === named) ? named : "");
    this.#clip.update(clip, percent(clip));
    this.#clipped.textContent = percent(clip);
    this.#scale.update(
      [
        { value: "own", label: panels.length > 0 ? "of each map" : "of this map" },
        {
          value: "shared",
          label: "shared by all panels",
          disabled: panels.length === 0 && traits.scale !== "shared",
        },
        { value: "locked", label: "locked as it is" },
      ],
      traits.scale,
    );
    this.#grey.update(traits.greyPhoto);
    this.#grey.element.title = `The ${pictureWord(info)} without its colours, where the map lies over it`;
    this.#cells.element.hidden = drawn?.coarse !== true;
    this.#cells.update(traits.cells);
  }
}
