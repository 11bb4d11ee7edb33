import { entries, type Table } from "./colour";
import type { Field } from "./field";
import { samples, type Window } from "./paint";

/** A picture's width and height. */
type Size = readonly [number, number];

interface Enlarged {
  readonly key: string;
  readonly values: Float32Array;
}

/** What was enlarged last of each map: while a threshold or a clip is dragged, the values stay. */
const known = new WeakMap<Field, Enlarged>();

/** Whether a map's grid is coarser than the picture, so that it has cells and not pixels. */
export function isCoarse(field: Field, width: number, height: number): boolean {
  return field.width < width || field.height < height;
}

/** A coarse map at the picture's size; see `enlargeWindow`. */
export function enlarge(field: Field, width: number, height: number): Float32Array {
  return enlargeWindow(field, [width, height], whole(width, height));
}

/**
 * A window of the picture, of a coarse map: values between the centres of cells are bilinear, beyond the outermost
 * centres they stay as they are. A cell without a number has none anywhere and takes no part in its neighbours'.
 */
export function enlargeWindow(field: Field, [width, height]: Size, window: Window): Float32Array {
  const key = `${width} ${height} ${Object.values(window)}`;
  const held = known.get(field);
  if (held?.key === key) return held.values;
  const across = between(field.width, width, samples(window.left, window.width, window.step));
  const down = between(field.height, height, samples(window.top, window.height, window.step));
  const values = new Float32Array(across.low.length * down.low.length);
  fill(field, across, down, values);
  known.set(field, { key, values });
  return values;
}

/** Goes from one pair of cells to the next, because between them the four corners stay the same. */
function fill(field: Field, across: Between, down: Between, out: Float32Array): void {
  const { values, width } = field;
  const columns = across.low.length;
  const ends = runs(across.low);
  for (let y = 0, i = 0; y < down.low.length; y++, i += columns) {
    const above = down.low[y]! * width;
    const below = down.high[y]! * width;
    const lower = down.share[y]!;
    const upper = 1 - lower;
    let from = 0;
    for (const to of ends) {
      const left = across.low[from]!;
      const right = across.high[from]!;
      const a = values[above + left]!;
      const b = values[above + right]!;
      const c = values[below + left]!;
      const d = values[below + right]!;
      if (Number.isNaN(a + b + c + d)) {
        for (let x = from; x < to; x++) out[i + x] = blend([a, b, c, d], across.share[x]!, lower);
      } else {
        for (let x = from; x < to; x++) {
          const further = across.share[x]!;
          const nearer = 1 - further;
          out[i + x] = upper * nearer * a + upper * further * b + lower * nearer * c + lower * further * d;
        }
      }
      from = to;
    }
  }
}

/** Where each run of equals ends. */
function runs(places: Int32Array): number[] {
  const ends: number[] = [];
  for (let k = 1; k <= places.length; k++) if (places[k] !== places[k - 1]) ends.push(k);
  return ends;
}

/** The mean of those corners that have a number. */
function blend(corners: readonly number[], further: number, lower: number): number {
  const shares = [(1 - lower) * (1 - further), (1 - lower) * further, lower * (1 - further), lower * further];
  let sum = 0;
  let weight = 1;
  for (const [k, value] of corners.entries()) {
    if (Number.isNaN(value)) weight -= shares[k]!;
    else sum += shares[k]! * value;
  }
  return weight > 0 ? sum / weight : Number.NaN;
}

/** `paintSmooth` of the whole picture. */
export function paintEnlarged(
  field: Field,
  size: Size,
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  paintSmooth(field, size, whole(...size), level, cut, table, out);
}

/**
 * Writes a window of the picture, of a coarse map that is smooth between its cells. A cell is shown or hidden as a whole,
 * because cells are what is counted.
 */
export function paintSmooth(
  field: Field,
  size: Size,
  window: Window,
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  const values = enlargeWindow(field, size, window);
  const { rows, columns } = cellsIn(field, size, window);
  const across = columns.length;
  const kept = new Uint8Array(across);
  const { packed } = table;
  const found = new Uint16Array(across);
  for (let y = 0, i = 0; y < rows.length; y++) {
    if (y === 0 || rows[y] !== rows[y - 1]) {
      const start = rows[y]! * field.width;
      // Not reached either where the cell has no number.
      for (let x = 0; x < across; x++) kept[x] = Math.abs(field.values[start + columns[x]!]!) >= cut ? 1 : 0;
    }
    entries(values.subarray(i, i + across), level, field.sign, found);
    for (let x = 0; x < across; x++, i++) out[i] = kept[x] === 1 ? packed[found[x]!]! : 0;
  }
}

export function whole(width: number, height: number): Window {
  return { top: 0, left: 0, height, width, step: 1 };
}

/** The rows and columns of a map's cells in which the painted pixels of a window of the picture lie. */
export function cellsIn(field: Field, [width, height]: Size, window: Window) {
  const along = (places: Int32Array, cells: number, pixels: number) =>
    places.map((place) => cellAt(place, cells, pixels));
  return {
    rows: along(samples(window.top, window.height, window.step), field.height, height),
    columns: along(samples(window.left, window.width, window.step), field.width, width),
  };
}

/** The cell in which the middle of a pixel lies, along a side of so many cells and pixels. */
export function cellAt(place: number, cells: number, pixels: number): number {
  return Math.min(cells - 1, Math.floor(((place + 0.5) * cells) / pixels));
}

/** For each place along one side: the two cells whose centres it lies between. */
interface Between {
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** How far from the centre of `low` to that of `high`. */
  readonly share: Float64Array;
}

function between(cells: number, pixels: number, places: Int32Array): Between {
  const from = Float64Array.from(places, (place) =>
    Math.max(0, Math.min(cells - 1, ((place + 0.5) * cells) / pixels - 0.5)),
  );
  const low = Int32Array.from(from, Math.floor);
  return {
    low,
    high: low.map((cell) => Math.min(cells - 1, cell + 1)),
    share: from.map((at, k) => at - low[k]!),
  };
}
