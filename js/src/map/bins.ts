import { sortable } from "./order";
import { SLICE } from "./steps";

/**
 * The most bins there are: so few that a table of their colours stays in the processor's cache, so many that of a thousand
 * pixels some fifteen lie in bins of two colours, which are looked at one by one.
 */
const MOST = 16383;

/**
 * Pixels gathered into bins of neighbouring values, so that a change of colours or threshold is a new table of
 * colours and one pass over 16-bit indices. Equal values share a bin, and no bin holds values of two signs: inside a bin
 * both the value and its magnitude run one way, so that the two ends of a bin decide whether it has one colour.
 */
export interface Bins {
  /** The bin of each pixel; `count` where the pixel is not finite. */
  readonly index: Uint16Array;
  /** The least and the greatest value of each bin. */
  readonly firsts: Float32Array;
  readonly lasts: Float32Array;
  readonly count: number;
}

/** `sorted` are the finite ones among `values`, ascending. */
export function* binSteps(values: Float32Array, sorted: Float32Array): Generator<void, Bins> {
  const exact = cut(sorted, 1, MOST);
  // A bin is closed when it is full, or before a run of equal values that fills one by itself: hence the 2.
  const starts = exact ?? cut(sorted, Math.ceil((2 * sorted.length) / (MOST - 35)), MOST)!;
  yield;
  const count = starts.length - 1;
  const firsts = new Float32Array(count);
  const lasts = new Float32Array(count);
  for (let b = 0; b < count; b++) {
    firsts[b] = sorted[starts[b]!]!;
    lasts[b] = sorted[starts[b + 1]! - 1]!;
  }
  const index = new Uint16Array(values.length);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  // Finer cells take a moment to set up and save a search in each pixel.
  const cells = new Cells(firsts, values.length > 200_000 ? 12 : 16);
  for (let from = 0; from < values.length; from += SLICE) {
    cells.find(values, bits, from, Math.min(values.length, from + SLICE), index);
    yield;
  }
  return { index, firsts, lasts, count };
}

/** Finds the bins of values: a table over the leading bits of a float, then a search among the few bins that begin there. */
class Cells {
  /** How many bins begin in the cells before each. */
  readonly #before: Uint16Array;

  constructor(
    readonly firsts: Float32Array,
    readonly shift: number,
  ) {
    this.#before = new Uint16Array(2 ** (32 - shift) + 1);
    const before = this.#before;
    const keys = new Uint32Array(firsts.buffer, firsts.byteOffset, firsts.length);
    for (let b = 0; b < keys.length; b++) before[(sortable(keys[b]!) >>> shift) + 1]!++;
    for (let cell = 1; cell < before.length; cell++) before[cell]! += before[cell - 1]!;
  }

  find(values: Float32Array, bits: Uint32Array, from: number, to: number, index: Uint16Array): void {
    const { firsts, shift } = this;
    const before = this.#before;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      if (value - value !== 0) {
        index[i] = firsts.length;
        continue;
      }
      const cell = sortable(bits[i]!) >>> shift;
      let low = before[cell]!;
      let high = before[cell + 1]!;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (firsts[middle]! <= value) low = middle + 1;
        else high = middle;
      }
      index[i] = low - 1;
    }
  }
}

/** Where bins of about `size` values start, followed by the end; null if there would be more than `most`. */
function cut(sorted: Float32Array, size: number, most: number): Uint32Array | null {
  const n = sorted.length;
  const starts = new Uint32Array(most + 1);
  let count = 0;
  let start = 0;
  for (let from = 0; from < n; ) {
    const value = sorted[from]!;
    let to = from + 1;
    while (to < n && sorted[to] === value) to++;
    const full = from - start >= size || to - from >= size || Math.sign(sorted[start]!) !== Math.sign(value);
    if (from > start && full) {
      if (count === most) return null;
      starts[count++] = start;
      start = from;
    }
    from = to;
  }
  if (n > 0) {
    if (count === most) return null;
    starts[count++] = start;
  }
  starts[count] = n;
  return starts.slice(0, count + 1);
}
