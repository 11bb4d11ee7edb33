import type { Rgb } from "./blend";
import { make, setAttribute } from "./dom";
import type { Place } from "./place";
import { put, Surface } from "./surface";
import type { Point } from "./viewport";

/** So many pixels of the picture on each side. */
const SIDE = 15;

/** The pixels about the crosshair, enlarged, in a corner away from it. */
export function makeLoupe() {
  const element = make("div.loupe", { hidden: true });
  const canvas = make("canvas", { "data-layer": "loupe" });
  const surface = new Surface(canvas);
  let visible = false;
  element.append(canvas);

  function turn(on: boolean): void {
    visible = on;
    element.hidden = !on;
  }

  /** Pixels of a grid about a place; `at` is where that is, in fractions of what is seen. */
  function draw(
    [width, height]: readonly [number, number],
    place: Place,
    at: Point,
    colour: (row: number, column: number) => Rgb,
  ): void {
    setAttribute(
      element,
      "data-corner",
      `${at.row < 0.5 ? "bottom" : "top"} ${at.column < 0.5 ? "right" : "left"}`,
    );
    const data = surface.image(SIDE, SIDE);
    const out = new Uint32Array(data.data.buffer);
    const half = (SIDE - 1) / 2;
    for (let y = 0, i = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++, i++) {
        const row = place.row - half + y;
        const column = place.column - half + x;
        if (row < 0 || column < 0 || row >= height || column >= width) {
          out[i] = 0;
          continue;
        }
        const [r, g, b] = colour(row, column);
        out[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
      }
    }
    put(canvas, data);
  }

  return {
    element,
    get on() {
      return visible;
    },
    turn,
    draw,
  };
}
