import { paintSmooth } from "../map/enlarge";
import { entriesOf, paintValues, paintWindow } from "../map/paint";
import type { Detail } from "./detail";
import { make } from "./dom";
import type { Framing } from "./framing";
import { gather } from "./pieces";
import type { Drawn } from "./scene";
import { Surface, same } from "./surface";
import { type Extent, type Part, pixelsSeen, type Rect, stepFor } from "./viewport";

/** So many pixels of a map are drawn at most. */
const MOST = 2 ** 20;
/** The same where each costs more than a look into a table. */
const MOST_FINE = 500_000;

interface Entered {
  readonly state: readonly unknown[];
  readonly values: Float32Array;
  readonly found: Uint16Array;
}

/** The map in colours: the part of it that is seen, at the resolution that is shown. */
export class MapLayer {
  readonly element = make("canvas", { "data-layer": "map" });
  readonly #surface = new Surface(this.element);
  #last: Entered | null = null;

  forget(): void {
    this.#surface.forget();
  }

  /** `native` is whether a coarse map is shown as the cells that it has. */
  update(
    drawn: Drawn | null,
    native: boolean,
    { picture, pixels }: Framing,
    seen: Rect,
    detail: Detail | null,
    screen: Extent,
  ): void {
    if (!drawn) return;
    const { field, level, kept, table } = drawn;
    // A map without any score in it has no colours: the photograph and a sentence stand for it.
    const cut = field.zero ? Number.POSITIVE_INFINITY : kept.cut;
    const smooth = drawn.coarse && !native && !detail;
    const grid = detail?.size ?? (smooth ? pixels : ([field.width, field.height] as const));
    // What varies smoothly is drawn as finely as is seen; the rest wholly, for the browser to average.
    const step =
      detail || smooth
        ? stepFor(picture, grid, seen, screen.width, MOST_FINE)
        : stepFor(picture, grid, seen, Number.POSITIVE_INFINITY, MOST);
    const part = pixelsSeen(picture, grid, seen, step);
    this.#surface.place(picture, grid, part, seen, screen.width);
    const state = [field, level, cut, table, smooth, ...grid];
    this.#surface.paint(part, detail?.pieces ?? [], state, (one, out) => {
      if (detail) {
        const { values, found } = this.#entered(drawn, detail, one);
        paintValues(values, found, level, cut, field.sign, table, out);
      } else if (smooth) paintSmooth(field, pixels, clipped(one, grid), level, cut, table, out);
      else paintWindow(field, clipped(one, grid), level, cut, table, out);
    });
  }

  /** Values and their entries; what was made last is kept, for a threshold that is dragged changes neither. */
  #entered({ field, level }: Drawn, detail: Detail, part: Part): Entered {
    const state = [field, level, ...Object.values(part), ...detail.pieces];
    if (this.#last && same(this.#last.state, state)) return this.#last;
    const values = new Float32Array(part.across * part.down);
    const grid = [field.width, field.height] as const;
    gather(values, part, detail, field.values, grid, (piece) => piece.values);
    this.#last = { state, values, found: entriesOf(values, level, field.sign) };
    return this.#last;
  }
}

function clipped({ top, left, height, width, step }: Part, [columns, rows]: readonly [number, number]) {
  return { top, left, height: Math.min(height, rows - top), width: Math.min(width, columns - left), step };
}
