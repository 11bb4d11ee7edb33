/** The most bins a table of 65,536 colours has room for beside the entry of pixels without a number. */
const MOST = 65535;
export const NO_NUMBER = 65535;

/**
 * Pixels gathered into bins of neighbouring values, so that a change of colours or threshold is a new table of
 * colours and one pass over 16-bit indices. Equal values share a bin, and no bin holds values of two signs: inside a bin
 * both the value and its magnitude run one way, so that the two ends of a bin decide whether it has one colour.
 */
export interface Bins {
  /** The bin of each pixel; NO_NUMBER where the pixel is not finite. */
  readonly index: Uint16Array;
  /** Bin b holds the sorted positions starts[b] to starts[b + 1] - 1. */
  readonly starts: Uint32Array;
  readonly count: number;
}

export function makeBins(values: Float32Array, order: Uint32Array): Bins {
  const exact = cut(values, order, 1, MOST);
  // A bin is closed when it is full, or before a run of equal values that fills one by itself: hence the 2.
  const starts = exact ?? cut(values, order, Math.ceil((2 * order.length) / (MOST - 35)), MOST)!;
  const count = starts.length - 1;
  const index = new Uint16Array(values.length).fill(NO_NUMBER);
  for (let b = 0; b < count; b++) {
    for (let p = starts[b]!; p < starts[b + 1]!; p++) index[order[p]!] = b;
  }
  return { index, starts, count };
}

/** Where bins of about `size` pixels start, followed by the end; null if there would be more than `most`. */
function cut(values: Float32Array, order: Uint32Array, size: number, most: number): Uint32Array | null {
  const n = order.length;
  const starts = new Uint32Array(most + 1);
  let count = 0;
  let start = 0;
  for (let from = 0; from < n; ) {
    const value = values[order[from]!]!;
    let to = from + 1;
    while (to < n && values[order[to]!] === value) to++;
    const first = values[order[start]!]!;
    const full = from - start >= size || to - from >= size || Math.sign(first) !== Math.sign(value);
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
