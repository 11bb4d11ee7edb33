import { entry } from "../map/colour";
import { number3, percent } from "../map/format";
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
import { Handle, type HandleState } from "./handles";
import { Histogram } from "./histogram";
import { percentile, scaleWords } from "./legend";
import type { Drawn, Scene } from "./scene";
import { Ticks } from "./ticks";
import { keptWords, placeWord, unitExplained } from "./words";

const WIDTH = 514;
/** How much of its colour a stretch keeps that the threshold hides: enough to read the scale by, too little to be on display. */
const DIMMED = 64;
const NOWHERE: Axis = { bend: 0, end: 0 };

/**
 * The colour bar: what each colour means, in numbers and in words, which colours the threshold hides, how many values there are of
 * each, and handles for both.
 */
export class Bar {
  readonly element: HTMLElement;
  readonly #canvas = make("canvas", { class: "bar", width: WIDTH, height: 1, "aria-hidden": "true" });
  readonly #histogram = new Histogram();
  readonly #strip: HTMLElement;
  readonly #cuts = [0, 1].map(() => make("span", { class: "cut", hidden: true }));
  readonly #levels = [0, 1].map(() => make("span", { class: "level", hidden: true }));
  readonly #clip: Handle;
  readonly #threshold: Handle;
  readonly #ticks = new Ticks();
  readonly #words = make("p", { class: "quiet scale" });
  #scene: Scene | null = null;
  #axis = NOWHERE;
  #drawn = "";

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    const done = () => store.save();
    this.#clip = new Handle("Clip at value", "Clip", "clip", signal, {
      move: (to) => this.#set("clip", clipOf(this.#scene, magnitudeAt(this.#axis, to))),
      done,
    });
    this.#threshold = new Handle("Hide below value", "Hide below", "threshold", signal, {
      move: (to) => {
        const field = this.#scene?.drawn?.field;
        return this.#set("threshold", field ? thresholdAt(field, magnitudeAt(this.#axis, to)) : null);
      },
      done,
    });
    this.#strip = make("div", { class: "strip" });
    this.#strip.append(this.#histogram.element, this.#canvas, ...this.#levels, ...this.#cuts);
    this.#strip.append(...this.#threshold.elements, ...this.#clip.elements);
    this.element = make("div", { class: "colourbar", role: "group", "aria-label": "Colour bar" });
    this.element.append(this.#strip, this.#ticks.element, this.#words);
  }

  forget(): void {
    this.#drawn = "";
  }

  update(scene: Scene): void {
    const { drawn, sign } = scene;
    this.#scene = scene;
    this.#axis = drawn && drawn.level > 0 ? axisOf(scene, drawn) : NOWHERE;
    setAttribute(this.element, "data-level", drawn?.level);
    setAttribute(this.element, "data-sign", sign);
    this.#ticks.update(drawn, this.#axis);
    setText(this.#words, drawn ? scaleWords(scene, drawn) : "");
    setAttribute(this.#words, "title", drawn ? unitExplained(drawn.header) || null : null);
    const cut = drawn ? hiddenBelow(drawn) : 0;
    this.#histogram.update(this.#axis.end > 0 ? (drawn?.field ?? null) : null, this.#axis, cut);
    setAttribute(this.#strip, "title", drawn && this.#axis.end > 0 ? spreadWords(drawn, this.#axis) : null);
    this.#clip.update(drawn && this.#axis.end > 0 ? clipState(scene, drawn, this.#axis) : null);
    this.#threshold.update(
      drawn && this.#axis.end > 0 ? thresholdState(scene, drawn, this.#axis, cut) : null,
    );
    this.#draw(scene, cut);
  }

  #set(trait: "clip" | "threshold", value: number | null): boolean {
    if (value === null || this.store.traits[trait] === value) return false;
    this.store.set(trait, value);
    return true;
  }

  #draw({ drawn, sign }: Scene, cut: number): void {
    const level = drawn?.level ?? 0;
    const axis = this.#axis;
    const state = `${sign} ${drawn?.table.name} ${level} ${cut} ${axis.bend} ${axis.end}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    const at = level > 0 && cut > 0 && Number.isFinite(cut) ? alongBar(sign, positionAt(axis, cut)) : [];
    const ends = level > 0 ? alongBar(sign, positionAt(axis, level)) : [];
    for (const [marks, places] of [
      [this.#cuts, at],
      [this.#levels, ends],
    ] as const) {
      marks.forEach((mark, i) => {
        mark.hidden = places[i] === undefined;
        mark.style.left = `${100 * (places[i] ?? 0)}%`;
      });
    }
    const pen = this.#canvas.getContext("2d");
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
    words: words.filter(Boolean).join(", "),
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
    words: [below, keptWords(drawn)].filter(Boolean).join(", "),
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
