import { paintSmooth } from "../map/enlarge";
import { paintWindow } from "../map/paint";
import { colourAt } from "./blend";
import type { Detail } from "./detail";
import { make } from "./dom";
import type { Framing } from "./framing";
import { overlap, sample } from "./pieces";
import type { Drawn } from "./scene";
import { put, Surface, same } from "./surface";
import { type Extent, type Part, pixelsSeen, type Rect, stepFor } from "./viewport";

/** So many pixels of a map are drawn at most. */
const MOST = 2 ** 20;
/** The same where each costs more than a look into a table. */
const MOST_FINE = 500_000;

/** The map in colours: the part of it that is seen, at the resolution that is shown. */
export class MapLayer {
  readonly element = make("canvas", { "data-layer": "map" });
  readonly #surface = new Surface(this.element);
  #state: readonly unknown[] = [];

  forget(): void {
    this.#state = [];
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
    const { top, left, down, across } = part;
    const values = detail?.pieces.map((piece) => piece.values) ?? [];
    const state = [field, level, cut, table, smooth, top, left, down, across, step, ...values];
    if (same(state, this.#state)) return;
    this.#state = state;
    const data = this.#surface.image(across, down);
    const out = new Uint32Array(data.data.buffer);
    const window = clipped(part, grid);
    if (detail) paintDetail(drawn, cut, detail, part, out);
    else if (smooth) paintSmooth(field, pixels, window, level, cut, table, out);
    else paintWindow(field, window, level, cut, table, out);
    put(this.element, data);
  }
}

function clipped({ top, left, height, width, step }: Part, [columns, rows]: readonly [number, number]) {
  return { top, left, height: Math.min(height, rows - top), width: Math.min(width, columns - left), step };
}

/** What is here at full resolution, and elsewhere what travelled. */
function paintDetail(
  drawn: Drawn,
  cut: number,
  { size, pieces, whole }: Detail,
  part: Part,
  out: Uint32Array,
): void {
  const { field, level, table } = drawn;
  const { sign } = field;
  if (!whole) {
    sample(out, part, size, [field.width, field.height], (i) =>
      colourAt(sign, field.values[i]!, level, cut, table),
    );
  }
  const { step, across } = part;
  for (const piece of pieces) {
    const { x0, y0, x1, y1 } = overlap(piece, part);
    const { values } = piece;
    for (let y = y0; y < y1; y++) {
      const row = (part.top + y * step - piece.top) * piece.width + part.left - piece.left;
      for (let x = x0; x < x1; x++) {
        out[y * across + x] = colourAt(sign, values[row + x * step]!, level, cut, table);
      }
    }
  }
}
