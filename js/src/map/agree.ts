import { cellsIn, whole } from "./enlarge";
import type { Field } from "./field";
import { clamp } from "./format";
import { argsort } from "./order";

const STRONGEST_PERCENT = 5;

/** Two numbers for two maps; both null where one of them is the same everywhere, and has no strongest pixel. */
export interface Agreement {
  /** Rank correlation of the magnitudes, -1 to 1; equals share the mean of their ranks. */
  readonly spearman: number | null;
  /**
   * Of the pixels among the strongest 5 % of either map, the fraction that are so of both. Zero is never strong. Null also
   * where the maps are too small to have 5 %.
   */
  readonly overlap: number | null;
}

/**
 * How much two maps of one picture agree, by magnitude. Where their grids differ, on the finer one, a coarse map as
 * the cells it has. Pixels without a number in either do not count. It sorts: at a million pixels some 0.1 s for a
 * map the first time, and little after that.
 */
export function agreement(first: Field, second: Field): Agreement {
  const size = [Math.max(first.width, second.width), Math.max(first.height, second.height)] as const;
  let a: Ranked;
  let b: Ranked;
  if (first.missing === 0 && second.missing === 0) {
    a = rankedWhole(first, size);
    b = rankedWhole(second, size);
  } else {
    const one = magnitudesAt(first, size);
    const other = magnitudesAt(second, size);
    const both = one.map((value, i) => (Number.isFinite(value + other[i]!) ? 1 : 0));
    const where = (values: Float32Array) => values.filter((_, i) => both[i] === 1);
    a = ranked(where(one));
    b = ranked(where(other));
  }
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  let shared = 0;
  let either = 0;
  for (let i = 0; i < a.ranks.length; i++) {
    const x = a.ranks[i]!;
    const y = b.ranks[i]!;
    product += x * y;
    squareA += x * x;
    squareB += y * y;
    const strong = x >= a.strong;
    const other = y >= b.strong;
    if (strong && other) shared++;
    if (strong || other) either++;
  }
  if (squareA === 0 || squareB === 0) return { spearman: null, overlap: null };
  const spearman = product / Math.sqrt(squareA * squareB);
  return { spearman: clamp(spearman, -1, 1), overlap: either > 0 ? shared / either : null };
}

interface Ranked {
  /** Twice the rank less twice the mean of all ranks: whole numbers, also where equals share one. */
  readonly ranks: Int32Array;
  /** The least of them among the strongest. */
  readonly strong: number;
}

const known = new WeakMap<Field, { readonly key: string; readonly ranked: Ranked }>();

/** Of a map that has a number everywhere: its ranks are then the same whatever it is compared with. */
function rankedWhole(field: Field, size: readonly [number, number]): Ranked {
  const key = size.join();
  let held = known.get(field);
  if (held?.key !== key) {
    held = { key, ranked: ranked(magnitudesAt(field, size)) };
    known.set(field, held);
  }
  return held.ranked;
}

function ranked(magnitudes: Float32Array): Ranked {
  const n = magnitudes.length;
  const order = argsort(magnitudes);
  const ranks = new Int32Array(n);
  const asked = Math.floor((STRONGEST_PERCENT * n) / 100 + 0.5);
  let strong = Number.POSITIVE_INFINITY;
  for (let from = 0; from < n; ) {
    const value = magnitudes[order[from]!]!;
    let to = from + 1;
    while (to < n && magnitudes[order[to]!] === value) to++;
    // Ranks from + 1 to `to` share their mean; the mean of all is (n + 1) / 2.
    const rank = from + to - n;
    for (let k = from; k < to; k++) ranks[order[k]!] = rank;
    if (to > n - asked && value > 0) strong = Math.min(strong, rank);
    from = to;
  }
  return { ranks, strong };
}

function magnitudesAt(field: Field, [width, height]: readonly [number, number]): Float32Array {
  const { rows, columns } = cellsIn(field, [width, height], whole(width, height));
  const found = new Float32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    const start = rows[y]! * field.width;
    for (let x = 0; x < width; x++, i++) found[i] = Math.abs(field.values[start + columns[x]!]!);
  }
  return found;
}
