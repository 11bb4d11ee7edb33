import { entry } from "../map/colour";
import { number3, ordinal, percent, signed3 } from "../map/format";
import { make, setAttribute, setText } from "./dom";
import { shapeOf } from "./place";
import type { Drawn, Scene } from "./scene";
import { isOfScore, unitExplained } from "./words";

const WIDTH = 514;
/** How much of its colour a stretch keeps that the threshold hides: enough to read the scale by, too little to be on display. */
const DIMMED = 64;

/** The colour bar: what each colour means, in numbers and in words, and which colours the threshold hides. */
export class Bar {
  readonly element: HTMLElement;
  readonly #canvas = make("canvas", { class: "bar", width: WIDTH, height: 1, "aria-hidden": "true" });
  readonly #cuts = [0, 1].map(() => make("span", { class: "cut", hidden: true }));
  readonly #left = new Tick("from");
  readonly #middle = new Tick("mid");
  readonly #right = new Tick("to");
  readonly #words = make("p", { class: "quiet scale" });
  #drawn = "";

  constructor() {
    const ticks = make(
      "div",
      { class: "ticks" },
      this.#left.element,
      this.#middle.element,
      this.#right.element,
    );
    this.element = make("div", { class: "colourbar", role: "group", "aria-label": "Colour bar" });
    this.element.append(make("div", { class: "strip" }, this.#canvas, ...this.#cuts), ticks, this.#words);
  }

  forget(): void {
    this.#drawn = "";
  }

  update(scene: Scene): void {
    const { drawn, sign } = scene;
    setAttribute(this.element, "data-level", drawn?.level);
    setAttribute(this.element, "data-sign", sign);
    const [left, middle, right] = ticks(drawn, sign === "signed");
    const says = drawn !== null && isOfScore(drawn.header);
    this.#left.say(left, says ? "lowers" : "");
    this.#middle.say(middle);
    this.#right.say(right, says ? "raises" : "");
    setText(this.#words, drawn ? scaleWords(scene, drawn) : "");
    setAttribute(this.#words, "title", drawn ? unitExplained(drawn.header) || null : null);
    this.#draw(scene);
  }

  #draw({ drawn, sign }: Scene): void {
    const level = drawn?.level ?? 0;
    const cut = drawn ? hiddenBelow(drawn) : 0;
    const state = `${sign} ${drawn?.table.name} ${level > 0} ${cut}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    const marks = level > 0 && cut > 0 && Number.isFinite(cut) ? marksAt(Math.min(cut, 1), sign) : [];
    this.#cuts.forEach((mark, i) => {
      mark.hidden = marks[i] === undefined;
      mark.style.left = `${100 * (marks[i] ?? 0)}%`;
    });
    setAttribute(this.element, "title", marks.length > 0 ? `Hidden below ${number3(cut * level)}` : null);
    const pen = this.#canvas.getContext("2d");
    if (!pen) return;
    const data = new ImageData(WIDTH, 1);
    const pixels = new Uint32Array(data.data.buffer);
    for (let x = 0; drawn && level > 0 && x < WIDTH; x++) {
      const at = x / (WIDTH - 1);
      const value = sign === "signed" ? 2 * at - 1 : at;
      pixels[x] = drawn.table.packed[entry(value, 1, sign)]!;
      // The end of the bar stands for all that is clipped, so it is hidden only when everything is.
      if (Math.abs(value) < Math.min(cut, 1) || cut === Number.POSITIVE_INFINITY)
        data.data[4 * x + 3] = DIMMED;
    }
    pen.putImageData(data, 0, 0);
  }
}

/** As a fraction of the level. Where nothing is hidden, no colour is: the weakest pixel's own value is then no bound. */
function hiddenBelow({ level, kept }: Drawn): number {
  return level > 0 && kept.area < 1 ? kept.cut / level : 0;
}

function marksAt(cut: number, sign: string): number[] {
  return sign === "signed" ? [(1 - cut) / 2, (1 + cut) / 2] : [cut];
}

/** The numbers at the two ends and in the middle. */
function ticks(drawn: Drawn | null, signed: boolean): [string, string, string] {
  if (!drawn || drawn.field.finite === 0) return ["", "", ""];
  const { level } = drawn;
  if (level === 0) return signed ? ["", "0", ""] : ["0", "", ""];
  return signed ? [number3(-level), "0", signed3(level)] : ["0", number3(level / 2), number3(level)];
}

/** A number under the bar, and what the score does there if the number has a sign. */
class Tick {
  readonly element: HTMLElement;
  readonly #number = make("span");
  readonly #does = make("span");
  /** Left out where the widget is narrow. */
  readonly #what = make("span", { class: "long" });

  constructor(readonly place: "from" | "mid" | "to") {
    const words = [this.#does, this.#what];
    const parts = place === "to" ? [...words, this.#number] : [this.#number, ...words];
    this.element = make("span", { class: place }, ...parts);
  }

  say(number: string, does = ""): void {
    const signed = does !== "" && /^[\u2212+]/.test(number);
    setText(this.#number, number);
    setText(this.#does, !signed ? "" : this.place === "to" ? `${does} ` : ` ${does}`);
    setText(this.#what, !signed ? "" : this.place === "to" ? "the score " : " the score");
  }
}

function scaleWords({ sign, clip, opacity, size }: Scene, { header, field, level }: Drawn): string {
  const channels = header.shape[0];
  const unit = header.unit || "no unit given";
  if (field.finite === 0) return `${unit}; no finite value`;
  if (level === 0) return `${unit}; every value is zero`;
  const parts = [unit];
  if (channels > 1) {
    parts.push(
      sign === "absolute" ? `largest |value| of ${channels} channels` : `sum of ${channels} channels`,
    );
  }
  parts.push(`clipped at the ${ordinal(clip)} percentile of |value|`, "scale: this map");
  if (header.reducedFrom) parts.push(`reduced from ${header.reducedFrom[1]} × ${header.reducedFrom[0]}`);
  if (opacity < 1) parts.push(`shown at ${percent(100 * opacity)} opacity`);
  if (shapeOf(size).drawnOut) parts.push(`drawn out from ${size[0]} × ${size[1]}`);
  return parts.join(" · ");
}
