import { type Bins, binSteps } from "./bins";
import { countBelow, countUpTo, sortSteps } from "./order";
import { reduceSteps, type Sign } from "./reduce";
import { finish, SLICE } from "./steps";

export interface Kept {
  /** The smallest magnitude kept; infinite where nothing is. */
  readonly cut: number;
  readonly count: number;
  /** Kept pixels as a fraction of the finite ones. */
  readonly area: number;
  /** The kept share of the sum of |value|; null where that sum is 0. */
  readonly mass: number | null;
}

export interface Rank {
  /** 1 is the strongest; equals share the better rank. */
  readonly rank: number;
  readonly of: number;
  /** Percentage of pixels that are weaker. */
  readonly percentile: number;
}

interface Parts {
  readonly sorted: Float32Array;
  readonly bins: Bins;
  readonly sums: Float64Array;
}

/** One reduced map with everything that is sorted once, so that nothing has to be while someone looks at it. */
export class Field {
  /** The finite values, ascending. */
  readonly sorted: Float32Array;
  readonly bins: Bins;
  /** How many values are below zero. */
  readonly #below: number;
  /** The sum of |value| of the first k blocks of `sorted`. */
  readonly #sums: Float64Array;
  #strongest: number | null | undefined;

  constructor(
    readonly sign: Sign,
    readonly width: number,
    readonly height: number,
    readonly values: Float32Array,
    parts: Parts = finish(prepare(values)),
  ) {
    this.sorted = parts.sorted;
    this.bins = parts.bins;
    this.#sums = parts.sums;
    this.#below = countBelow(this.sorted, 0);
  }

  static from(
    values: Float32Array,
    shape: readonly [number, number, number],
    sign: Sign,
    reduction = "default",
  ): Field {
    return finish(Field.steps(values, shape, sign, reduction));
  }

  /** Like `from`, some ten milliseconds at a time: a map of 16 million values takes about a second in all. */
  static *steps(
    values: Float32Array,
    [channels, height, width]: readonly [number, number, number],
    sign: Sign,
    reduction = "default",
  ): Generator<void, Field> {
    const reduced = yield* reduceSteps(values, channels, sign, reduction);
    return new Field(sign, width, height, reduced, yield* prepare(reduced));
  }

  get finite(): number {
    return this.sorted.length;
  }

  get missing(): number {
    return this.values.length - this.finite;
  }

  /** The largest magnitude; 0 where no pixel is finite. */
  get largest(): number {
    const n = this.finite;
    return n === 0 ? 0 : Math.max(-this.sorted[0]!, this.sorted[n - 1]!, 0);
  }

  /** Whether every finite pixel is exactly zero; also where no pixel is finite. */
  get zero(): boolean {
    return this.largest === 0;
  }

  /** The position of the strongest pixel, the first of equals; null where none is stronger than nothing. */
  get strongest(): number | null {
    if (this.#strongest === undefined) {
      const { largest } = this;
      this.#strongest = largest > 0 ? this.values.findIndex((value) => Math.abs(value) === largest) : null;
    }
    return this.#strongest;
  }

  /** How many pixels have a magnitude below `magnitude`. */
  countBelow(magnitude: number): number {
    return Math.max(0, countBelow(this.sorted, magnitude) - countUpTo(this.sorted, -magnitude));
  }

  /** How many pixels have a magnitude of at most `magnitude`. */
  countUpTo(magnitude: number): number {
    return Math.max(0, countUpTo(this.sorted, magnitude) - countBelow(this.sorted, -magnitude));
  }

  /** The magnitude that k others come before, from the weakest. */
  magnitude(k: number): number {
    const { sorted } = this;
    // Magnitudes ascend downwards from zero and upwards from zero: `low` is how many of the first k are negative.
    const below = this.#below;
    const above = sorted.length - below;
    const negative = (i: number) => (i < below ? -sorted[below - 1 - i]! : Number.POSITIVE_INFINITY);
    const positive = (i: number) => (i < above ? sorted[below + i]! : Number.POSITIVE_INFINITY);
    let low = Math.max(0, k - above);
    let high = Math.min(k, below);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (negative(middle) < positive(k - middle - 1)) low = middle + 1;
      else high = middle;
    }
    return Math.min(negative(low), positive(k - low));
  }

  /** The magnitude at the end of the colours: an order statistic, never interpolated. 0 only for a zero map. */
  level(clip: number): number {
    const n = this.finite;
    if (n === 0) return 0;
    const level = this.magnitude(Math.min(Math.max(Math.ceil((clip * n) / 100) - 1, 0), n - 1));
    return level > 0 ? level : this.largest;
  }

  /**
   * The percentile whose level is the largest magnitude that occurs up to `magnitude`: what a handle dragged to it
   * stands for. It is the smallest magnitude's where none is as small; a level is never 0, see `level`.
   */
  clipOf(magnitude: number): number {
    const n = this.finite;
    const count = Math.max(1, this.countUpTo(magnitude));
    // Half a pixel less, so that rounding cannot lead to the next one.
    return count >= n ? 100 : (100 * (count - 0.5)) / n;
  }

  /** The strongest `percent` of the area; equal magnitudes stay or go together. */
  keep(percent: number): Kept {
    const n = this.finite;
    const asked = Math.min(Math.floor((percent * n) / 100 + 0.5), n);
    const total = this.#sum(n);
    if (!(asked > 0)) return { cut: Number.POSITIVE_INFINITY, count: 0, area: 0, mass: total > 0 ? 0 : null };
    const cut = this.magnitude(n - asked);
    const count = n - this.countBelow(cut);
    // Everything between the two cuts is hidden. Where that is nothing but zeros, the share is exactly 1.
    const hidden =
      cut > 0 ? this.#sum(countBelow(this.sorted, cut)) - this.#sum(countUpTo(this.sorted, -cut)) : 0;
    return { cut, count, area: count / n, mass: total > 0 ? (total - hidden) / total : null };
  }

  /** The percentage of the area that is as strong as `magnitude`: what a handle dragged to it keeps. */
  percentOf(magnitude: number): number {
    const n = this.finite;
    return n === 0 ? 0 : (100 * (n - this.countBelow(magnitude))) / n;
  }

  /** Where one pixel stands by magnitude; null where it has no number. */
  rank(position: number): Rank | null {
    const magnitude = Math.abs(this.values[position] ?? Number.NaN);
    if (!Number.isFinite(magnitude)) return null;
    const of = this.finite;
    return {
      rank: 1 + of - this.countUpTo(magnitude),
      of,
      percentile: (100 * this.countBelow(magnitude)) / of,
    };
  }

  /** The sum of |value| of the first k in order. */
  #sum(k: number): number {
    const block = Math.floor(k / BLOCK);
    let sum = this.#sums[block]!;
    for (let i = block * BLOCK; i < k; i++) sum += Math.abs(this.sorted[i]!);
    return sum;
  }
}

/** A sum for each value would take more memory than the map itself. */
const BLOCK = 1024;

function* prepare(values: Float32Array): Generator<void, Parts> {
  const sorted = yield* sortSteps(values);
  const bins = yield* binSteps(values, sorted);
  const sums = new Float64Array(Math.floor(sorted.length / BLOCK) + 1);
  let sum = 0;
  for (let i = 0; i < sorted.length; i++) {
    if (i % BLOCK === 0) sums[i / BLOCK] = sum;
    sum += Math.abs(sorted[i]!);
    if (i % SLICE === SLICE - 1) yield;
  }
  if (sorted.length % BLOCK === 0) sums[sums.length - 1] = sum;
  return { sorted, bins, sums };
}
