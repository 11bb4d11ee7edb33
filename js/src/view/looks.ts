import { tableNames } from "../map/colour";
import { percent } from "../map/format";
import type { Store } from "../state/store";
import { make, output, setAttribute } from "./dom";
import { fold, makeCheckbox, makeRadios, makeSelect, type Option } from "./fields";
import type { Scene } from "./scene";
import { makeSlider } from "./slider";
import { channelName, pictureWord } from "./words";

const REDUCTIONS: readonly Option[] = [
  { value: "max", label: "the strongest", title: "The value of the channel that is largest in magnitude" },
  { value: "sum", label: "their sum" },
  { value: "mean", label: "their mean" },
  { value: "l2", label: "their length (L2)", title: "The root of the sum of the squares" },
];
const CHANNELS = 16;
const TOGETHER = "This page does not keep the channels of the maps, only what they come to together.";

/** How the map is looked at, beyond what is always in sight. */
export function makeLooks(store: Store) {
  const clipped = output("clip");
  let level = 0;
  const put = (name: string, value: unknown) => {
    store.set(name, value);
    store.save();
  };
  const lookRadios = makeRadios(
    "Show",
    [
      { value: "overlay", label: "overlay", title: "The map over the photograph" },
      { value: "map", label: "map" },
      { value: "image", label: "image" },
    ],
    (value) => put("look", value),
  );
  const frameRadios = makeRadios(
    "Frame",
    [
      { value: "model", label: "what the model saw" },
      { value: "original", label: "whole picture" },
    ],
    (value) => put("frame", value),
  );
  const clipSlider = makeSlider(
    "Clip",
    store,
    {
      trait: "clip",
      steps: 500,
      valueAt: (position) => Math.round(500 + position) / 10,
      positionOf: (value) => Math.round(10 * value) - 500,
      filled: "before",
    },
    clipped,
    make("p.quiet", "Values beyond this percentile have the colour of the end."),
  );
  const colormapSelect = makeSelect("Colormap", (value) => put("colormap", value));
  const channelsSelect = makeSelect("Channels", (value) => put("reduction", value));
  const scaleSelect = makeSelect("Scale", (value) => {
    // What is locked is the scale there is.
    if (value === "locked") store.set("level", level);
    put("scale", value);
  });
  const grey = makeCheckbox("Photograph in grey", (on) => put("photo", on ? "grey" : "colour"));
  const cells = makeCheckbox("Cells as they are", (on) => put("cells", on));
  const element = fold(
    make("summary", "More of the view"),
    lookRadios.element,
    frameRadios.element,
    channelsSelect.element,
    colormapSelect.element,
    clipSlider.element,
    scaleSelect.element,
    grey.element,
    cells.element,
  );

  function update(scene: Scene): void {
    const { store, look, sign, reduction, clip, drawn, info, panels } = scene;
    const { traits } = store;
    level = drawn?.level ?? 0;
    lookRadios.update(look);
    frameRadios.element.hidden = info.original === null;
    frameRadios.update(traits.frame);
    const channels = drawn?.header.shape[0] ?? info.channels.length;
    const usual = sign === "absolute" ? "the strongest" : "their sum";
    const each = Array.from({ length: Math.min(channels, CHANNELS) }, (_, at) => ({
      value: String(at),
      label: `${channelName(info, drawn, at)} alone`,
    }));
    const { together } = traits;
    channelsSelect.element.hidden = channels < 2 && !together;
    channelsSelect.input.disabled = together;
    setAttribute(channelsSelect.element, "title", together && TOGETHER);
    channelsSelect.update(
      [{ value: "default", label: `as usual: ${usual}` }, ...REDUCTIONS, ...each],
      reduction,
    );
    const tables = tableNames(sign).map(({ name, uniform }, at) => ({
      value: at === 0 ? "" : name,
      label: uniform ? name : `${name} (not uniform)`,
    }));
    const named = traits.colormap;
    colormapSelect.update(tables, tables.some((one) => one.value === named) ? named : "");
    clipSlider.update(clip, percent(clip));
    clipped.textContent = percent(clip);
    scaleSelect.update(
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
    grey.update(traits.greyPhoto);
    grey.element.title = `The ${pictureWord(info)} without its colours, where the map lies over it`;
    cells.element.hidden = drawn?.coarse !== true;
    cells.update(traits.cells);
  }

  return { element, update };
}
