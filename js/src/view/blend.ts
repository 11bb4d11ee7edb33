import type { Field } from "../map/field";
import { clamp } from "../map/format";
import { colourOf } from "../map/paint";
import type { Place } from "./place";
import { type Drawn, positionIn, type Scene } from "./scene";

export type Rgb = readonly [number, number, number];

/** How a pixel is shown: the photograph's colour, how grey that is made, and how much the map covers it. */
export interface Mix {
  readonly grey: number;
  readonly opacity: number;
  /** Whether the photograph is under the map at all. */
  readonly photo: boolean;
}

const NOTHING: Rgb = [128, 128, 128];

/** The photograph's colour at a pixel; null where there is no photograph. */
export function photoAt(
  bytes: Uint8Array | null,
  [width]: Scene["size"],
  { row, column }: Place,
): Rgb | null {
  const i = 3 * (row * width + column);
  return bytes && i + 2 < bytes.length ? [bytes[i]!, bytes[i + 1]!, bytes[i + 2]!] : null;
}

/** The map's colour at a pixel of the picture as a canvas stores it, `fine` its value at full resolution; 0 where there is none. */
export function mapAt(
  drawn: Drawn,
  size: Scene["size"],
  place: Place,
  native: boolean,
  fine?: number,
): number {
  const { field, level, kept, table } = drawn;
  const own = fine ?? field.values[positionIn(drawn, size, place)]!;
  // A cell is shown or hidden as a whole.
  if (field.zero || !(Math.abs(own) >= kept.cut)) return 0;
  const value = drawn.coarse && !native && fine === undefined ? between(field, size, place) : own;
  return colourOf(value, level, 0, field.sign, table);
}

/** The value of a coarse map at one pixel: what `enlarge` has there, without what that keeps for the next drawing. */
function between(field: Field, [width, height]: Scene["size"], { row, column }: Place): number {
  const along = (at: number, pixels: number, cells: number) => {
    const from = clamp(((at + 0.5) * cells) / pixels - 0.5, 0, cells - 1);
    const low = Math.floor(from);
    return [low, Math.min(cells - 1, low + 1), from - low] as const;
  };
  const [left, right, further] = along(column, width, field.width);
  const [top, bottom, lower] = along(row, height, field.height);
  let sum = 0;
  let weight = 0;
  for (const [y, share] of [
    [top, 1 - lower],
    [bottom, lower],
  ] as const) {
    for (const [x, part] of [
      [left, 1 - further],
      [right, further],
    ] as const) {
      const value = field.values[y * field.width + x]!;
      if (Number.isNaN(value)) continue;
      sum += share * part * value;
      weight += share * part;
    }
  }
  return weight > 0 ? sum / weight : Number.NaN;
}

/** The colour that is seen where the map's is `packed`. */
export function blended(photo: Rgb | null, packed: number, { grey, opacity, photo: under }: Mix): Rgb {
  const [r, g, b] = (under && photo) || NOTHING;
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const base = [r, g, b].map((one) => one + (light - one) * grey);
  const over = packed >>> 24 ? opacity : 0;
  return [0, 8, 16].map((shift, c) => {
    return Math.round(base[c]! + (((packed >>> shift) & 255) - base[c]!) * over);
  }) as unknown as Rgb;
}

/** Whether black stands out on a colour better than white. */
export function isLight([r, g, b]: Rgb): boolean {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 140;
}
