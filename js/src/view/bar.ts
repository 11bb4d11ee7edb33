import { entry } from "../map/colour";
import { number3, ordinal, signed3 } from "../map/format";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

const WIDTH = 514;

/** The colour bar: what each colour means, in numbers and in words. */
export class Bar {
  readonly element: HTMLElement;
  readonly #canvas = make("canvas", { class: "bar", width: WIDTH, height: 1, "aria-hidden": "true" });
  readonly #left = make("span", { class: "from" });
  readonly #middle = make("span", { class: "mid" });
  readonly #right = make("span", { class: "to" });
  readonly #words = make("p", { class: "quiet scale" });
  #drawn = "";

  constructor() {
    const ticks = make("div", { class: "ticks" }, this.#left, this.#middle, this.#right);
    this.element = make("div", { class: "colourbar", role: "group", "aria-label": "Colour bar" });
    this.element.append(this.#canvas, ticks, this.#words);
  }

  forget(): void {
    this.#drawn = "";
  }

  update(scene: Scene): void {
    const { drawn, sign, clip } = scene;
    const level = drawn?.level ?? 0;
    const signed = sign === "signed";
    setAttribute(this.element, "data-level", drawn ? level : null);
    setAttribute(this.element, "data-sign", sign);
    const [left, middle, right] = ticks(drawn ? level : null, signed);
    setText(this.#left, left);
    setText(this.#middle, middle);
    setText(this.#right, right);
    setText(this.#words, drawn ? scaleWords(scene, clip) : "");
    this.#draw(scene);
  }

  #draw(scene: Scene): void {
    const { drawn, sign } = scene;
    const level = drawn?.level ?? 0;
    // Where nothing is hidden, no colour is: the weakest pixel's own value is then no bound.
    const cut = drawn && level > 0 && drawn.kept.area < 1 ? drawn.kept.cut / level : 0;
    const state = `${sign} ${drawn?.table.name} ${level > 0} ${cut}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    const pen = this.#canvas.getContext("2d");
    if (!pen) return;
    const data = new ImageData(WIDTH, 1);
    const pixels = new Uint32Array(data.data.buffer);
    for (let x = 0; drawn && level > 0 && x < WIDTH; x++) {
      const at = x / (WIDTH - 1);
      const value = sign === "signed" ? 2 * at - 1 : at;
      // The end of the bar stands for all that is clipped, so it is hidden only when everything is.
      const hidden = Math.abs(value) < Math.min(cut, 1) || cut === Number.POSITIVE_INFINITY;
      if (!hidden) pixels[x] = drawn.table.packed[entry(value, 1, sign)]!;
    }
    pen.putImageData(data, 0, 0);
  }
}

function ticks(level: number | null, signed: boolean): [string, string, string] {
  if (level === null) return ["", "", ""];
  if (level === 0) return signed ? ["", "0", ""] : ["0", "", ""];
  if (!signed) return ["0", number3(level / 2), number3(level)];
  return [`${number3(-level)} lowers the score`, "0", `raises the score ${signed3(level)}`];
}

function scaleWords(scene: Scene, clip: number): string {
  const { header, level } = scene.drawn!;
  const channels = header.shape[0];
  const parts = [header.unit || "no unit given"];
  if (level === 0) return `${parts[0]}; every value is zero`;
  if (channels > 1) {
    parts.push(
      scene.sign === "absolute" ? `largest |value| of ${channels} channels` : `sum of ${channels} channels`,
    );
  }
  parts.push(`clipped at the ${ordinal(clip)} percentile of |value|`, "scale: this map");
  if (header.reducedFrom) parts.push(`reduced from ${header.reducedFrom[1]} × ${header.reducedFrom[0]}`);
  return parts.join(" · ");
}
