import { entry } from "../map/colour";
import { joined, number3, percent } from "../map/format";
import type { Store } from "../state/store";
import {
  type Axis,
  alongBar,
  axisFor,
  clipAt,
  clippedPercent,
  fromBar,
  magnitudeAt,
  positionAt,
  thresholdAt,
} from "./axis";
import { make, setAttribute, setText } from "./dom";
import { type HandleState, makeHandle } from "./handles";
import { makeHistogram } from "./histogram";
import { percentile, scaleWords } from "./legend";
import type { Drawn, Scene } from "./scene";
import { makeTicks } from "./ticks";
import { keptWords, placeWord, unitExplained } from "./words";

const WIDTH = 514;
/** How much of its colour a stretch keeps that the threshold hides: enough to read the scale by, too little to be on display. */
const DIMMED = 64;
const NOWHERE: Axis = { bend: 0, end: 0 };

/**
 * The colour bar: what each colour means, in numbers and in words, which colours the threshold hides, how many values there are of
 * each, and handles for both.
 */
export function makeBar(store: Store) {
  const canvas = make("canvas.bar", { width: WIDTH, height: 1, "aria-hidden": "true" });
  const histogram = makeHistogram();
  const cuts = [0, 1].map(() => make("span.cut", { hidden: true }));
  const levels = [0, 1].map(() => make("span.level", { hidden: true }));
  const ticks = makeTicks();
  const words = make("p.quiet.scale");
  let current: Scene | null = null;
  let shownAxis = NOWHERE;
  let drawnAs = "";
  const done = () => store.save();
  const clip = makeHandle("Clip at value", "Clip", "clip", {
    move: (to) => set("clip", clipOf(current, magnitudeAt(shownAxis, to))),
    done,
  });
  const threshold = makeHandle("Hide below value", "Hide below", "threshold", {
    move: (to) => {
      const field = current?.drawn?.field;
      return set("threshold", field ? thresholdAt(field, magnitudeAt(shownAxis, to)) : null);
    },
    done,
  });
  const strip = make("div.strip");
  strip.append(histogram.element, canvas, ...levels, ...cuts);
  strip.append(...threshold.elements, ...clip.elements);
  const element = make("div.colourbar", { role: "group", "aria-label": "Colour bar" });
  element.append(strip, ticks.element, words);

  function forget(): void {
    drawnAs = "";
  }

  function update(scene: Scene): void {
    const { drawn, sign } = scene;
    current = scene;
    shownAxis = drawn && drawn.level > 0 ? axisOf(scene, drawn) : NOWHERE;
    setAttribute(element, "data-level", drawn?.level);
    setAttribute(element, "data-sign", sign);
    ticks.update(drawn, shownAxis);
    setText(words, drawn ? scaleWords(scene, drawn) : "");
    setAttribute(words, "title", drawn ? unitExplained(drawn.header) || null : null);
    const cut = drawn ? hiddenBelow(drawn) : 0;
    histogram.update(shownAxis.end > 0 ? (drawn?.field ?? null) : null, shownAxis, cut);
    setAttribute(strip, "title", drawn && shownAxis.end > 0 ? spreadWords(drawn, shownAxis) : null);
    clip.update(drawn && shownAxis.end > 0 ? clipState(scene, drawn, shownAxis) : null);
    threshold.update(drawn && shownAxis.end > 0 ? thresholdState(scene, drawn, shownAxis, cut) : null);
    draw(scene, cut);
  }

  function set(trait: "clip" | "threshold", value: number | null): boolean {
    if (value === null || store.traits[trait] === value) return false;
    store.set(trait, value);
    return true;
  }

  function draw({ drawn, sign }: Scene, cut: number): void {
    const level = drawn?.level ?? 0;
    const axis = shownAxis;
    const state = `${sign} ${drawn?.table.name} ${level} ${cut} ${axis.bend} ${axis.end}`;
    if (state === drawnAs) return;
    drawnAs = state;
    const at = level > 0 && cut > 0 && Number.isFinite(cut) ? alongBar(sign, positionAt(axis, cut)) : [];
    const ends = level > 0 ? alongBar(sign, positionAt(axis, level)) : [];
    for (const [marks, places] of [
      [cuts, at],
      [levels, ends],
    ] as const) {
      marks.forEach((mark, i) => {
        mark.hidden = places[i] === undefined;
        mark.style.left = `${100 * (places[i] ?? 0)}%`;
      });
    }
    const pen = canvas.getContext("2d");
    if (!pen) return;
    const data = new ImageData(WIDTH, 1);
    const pixels = new Uint32Array(data.data.buffer);
    for (let x = 0; drawn && level > 0 && x < WIDTH; x++) {
      const along = x / (WIDTH - 1);
      const magnitude = magnitudeAt(axis, fromBar(sign, along));
      const below = sign === "signed" && along < 0.5;
      pixels[x] = drawn.table.packed[entry(below ? -magnitude : magnitude, level, sign)]!;
      // What is drawn at the end of the axis is hidden only when everything is.
      if (magnitude < Math.min(cut, axis.end) || cut === Number.POSITIVE_INFINITY)
        data.data[4 * x + 3] = DIMMED;
    }
    pen.putImageData(data, 0, 0);
  }

  return { element, forget, update };
}

function axisOf({ store, panels }: Scene, drawn: Drawn): Axis {
  const own = store.traits.scale === "own";
  const others = own ? [] : panels.flatMap((panel) => (panel.drawn ? [panel.drawn.field] : []));
  return axisFor([drawn.field, ...others], drawn.level);
}

/** The magnitude below which values are hidden. Where nothing is hidden, the weakest pixel's own value is no bound. */
function hiddenBelow({ kept }: Drawn): number {
  return kept.area < 1 ? kept.cut : 0;
}

/** On a shared scale, the clip at which none of the maps' levels is above the magnitude. */
function clipOf(scene: Scene | null, magnitude: number): number | null {
  if (!scene?.drawn) return null;
  const own = clipAt(scene.drawn.field, magnitude);
  if (scene.store.traits.scale === "own") return own;
  const all = scene.panels.flatMap(({ drawn }) => (drawn ? [clipAt(drawn.field, magnitude)] : []));
  return Math.min(own, ...all);
}

function clipState({ sign, clip, store }: Scene, drawn: Drawn, axis: Axis): HandleState {
  const { level, field, header } = drawn;
  const position = positionAt(axis, level);
  const locked = store.traits.scale === "locked" && store.traits.level > 0;
  const beyond = clippedPercent(field, level);
  const words = [
    `${number3(level)} ${header.unit}`.trim(),
    locked ? "" : `${percentile(clip)} percentile of |value|`,
    beyond > 0 ? `${percent(beyond)} of the ${placeWord(drawn)}s clipped` : "nothing clipped",
  ];
  return {
    sign,
    along: alongBar(sign, position),
    position,
    value: level,
    most: axis.end,
    words: joined(", ", words),
    rests: locked ? "The scale is locked" : "",
  };
}

function thresholdState({ sign }: Scene, drawn: Drawn, axis: Axis, cut: number): HandleState {
  const value = Math.min(cut, axis.end);
  const position = positionAt(axis, value);
  const below = cut === Number.POSITIVE_INFINITY ? "" : `${number3(value)} ${drawn.header.unit}`.trim();
  return {
    sign,
    along: alongBar(sign, position),
    position,
    value,
    most: axis.end,
    words: joined(", ", [below, keptWords(drawn)]),
    rests: "",
  };
}

function spreadWords(drawn: Drawn, axis: Axis): string {
  const { field, level } = drawn;
  const beyond = clippedPercent(field, level);
  const parts = [
    `How many ${placeWord(drawn)}s have which value; the height goes with the logarithm of their number, so that few are seen beside many.`,
  ];
  if (beyond > 0) parts.push(`${percent(beyond)} lie beyond the clip, up to ${number3(field.largest)}.`);
  if (axis.bend < axis.end)
    parts.push(`Outside of the dotted line, from ${number3(axis.bend)}, values are drawn together.`);
  return parts.join(" ");
}
