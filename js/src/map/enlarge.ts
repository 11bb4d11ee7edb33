import { entry, type Table } from "./colour";
import type { Field } from "./field";
import { paintPlaces, samples, type Window } from "./paint";

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
  const fill = field.missing === 0 ? fillWhole : fillWithGaps;
  fill(field, across, down, values);
  known.set(field, { key, values });
  return values;
}

function fillWhole(field: Field, across: Between, down: Between, out: Float32Array): void {
  const { values, width } = field;
  const columns = across.low.length;
  for (let y = 0, i = 0; y < down.low.length; y++) {
    const top = down.low[y]! * width;
    const bottom = down.high[y]! * width;
    const lower = down.share[y]!;
    for (let x = 0; x < columns; x++, i++) {
      const left = across.low[x]!;
      const right = across.high[x]!;
      const further = across.share[x]!;
      out[i] =
        (1 - lower) * (1 - further) * values[top + left]! +
        (1 - lower) * further * values[top + right]! +
        lower * (1 - further) * values[bottom + left]! +
        lower * further * values[bottom + right]!;
    }
  }
}

function fillWithGaps(field: Field, across: Between, down: Between, out: Float32Array): void {
  const columns = across.low.length;
  for (let y = 0, i = 0; y < down.low.length; y++) {
    const lower = down.share[y]!;
    for (let x = 0; x < columns; x++, i++) {
      const further = across.share[x]!;
      let sum = 0;
      let weight = 1;
      const add = (row: number, column: number, share: number) => {
        const value = field.values[row * field.width + column]!;
        if (Number.isNaN(value)) weight -= share;
        else sum += share * value;
      };
      add(down.low[y]!, across.low[x]!, (1 - lower) * (1 - further));
      add(down.low[y]!, across.high[x]!, (1 - lower) * further);
      add(down.high[y]!, across.low[x]!, lower * (1 - further));
      add(down.high[y]!, across.high[x]!, lower * further);
      out[i] = weight > 0 ? sum / weight : Number.NaN;
    }
  }
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
  [width, height]: Size,
  window: Window,
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  const values = enlargeWindow(field, [width, height], window);
  const columns = cellsOf(field.width, width, samples(window.left, window.width, window.step));
  const rows = cellsOf(field.height, height, samples(window.top, window.height, window.step));
  const across = columns.length;
  const kept = new Uint8Array(across);
  const { packed } = table;
  const { sign } = field;
  for (let y = 0, i = 0; y < rows.length; y++) {
    if (y === 0 || rows[y] !== rows[y - 1]) {
      const start = rows[y]! * field.width;
      // Not reached either where the cell has no number.
      for (let x = 0; x < across; x++) kept[x] = Math.abs(field.values[start + columns[x]!]!) >= cut ? 1 : 0;
    }
    for (let x = 0; x < across; x++, i++) {
      out[i] = kept[x] === 1 ? packed[entry(values[i]!, level, sign)]! : 0;
    }
  }
}

/** Writes a window of the picture, of a coarse map whose cells are shown as the rectangles they are. */
export function paintCells(
  field: Field,
  [width, height]: Size,
  window: Window,
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  const columns = cellsOf(field.width, width, samples(window.left, window.width, window.step));
  const rows = cellsOf(field.height, height, samples(window.top, window.height, window.step));
  paintPlaces(field, rows, columns, level, cut, table, out);
}

function whole(width: number, height: number): Window {
  return { top: 0, left: 0, height, width, step: 1 };
}

/** The cell in which the middle of each pixel lies, along a side of so many cells and pixels. */
export function cellsOf(cells: number, pixels: number, places: Int32Array): Int32Array {
  return places.map((place) => Math.min(cells - 1, Math.floor(((place + 0.5) * cells) / pixels)));
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
