import { toBytes } from "../map/bytes";
import { blended, type Mix, mapAt, photoAt } from "./blend";
import { make, setAttribute } from "./dom";
import type { Place } from "./place";
import type { Scene } from "./scene";
import { put, Surface } from "./surface";

/** So many pixels of the picture on each side. */
const SIDE = 15;

/** The pixels about the crosshair, enlarged, in a corner away from it. */
export class Loupe {
  readonly element = make("div", { class: "loupe", hidden: true });
  readonly #canvas = make("canvas", { "data-layer": "loupe" });
  readonly #surface = new Surface(this.#canvas);
  #on = false;

  constructor() {
    this.element.append(this.#canvas);
  }

  get on(): boolean {
    return this.#on;
  }

  turn(on: boolean): void {
    this.#on = on;
    this.element.hidden = !on;
  }

  /** `at` is where the crosshair is, in fractions of what is seen. */
  draw(scene: Scene, place: Place, at: { row: number; column: number }, mix: Mix, native: boolean): void {
    if (!this.#on) return;
    setAttribute(
      this.element,
      "data-corner",
      `${at.row < 0.5 ? "bottom" : "top"} ${at.column < 0.5 ? "right" : "left"}`,
    );
    const { drawn, image, size } = scene;
    const [width, height] = size;
    const data = this.#surface.image(SIDE, SIDE);
    const out = new Uint32Array(data.data.buffer);
    const photo = toBytes(image);
    const half = (SIDE - 1) / 2;
    for (let y = 0, i = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++, i++) {
        const row = place.row - half + y;
        const column = place.column - half + x;
        if (row < 0 || column < 0 || row >= height || column >= width) {
          out[i] = 0;
          continue;
        }
        const packed = drawn && mix.opacity > 0 ? mapAt(drawn, size, row, column, native) : 0;
        const [r, g, b] = blended(photoAt(photo, size, row, column), packed, mix);
        out[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
      }
    }
    put(this.#canvas, data);
  }
}
