import { type Bins, makeBins } from "./bins";
import { argsort, countBelow, countUpTo } from "./order";
import { type Reduction, reduceChannels, type Sign } from "./reduce";

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

/** One reduced map with everything that is sorted once, so that nothing has to be while someone looks at it. */
export class Field {
  readonly values: Float32Array;
  /** Positions of the finite pixels, ascending by signed value. */
  readonly order: Uint32Array;
  readonly bins: Bins;
  /** |value| of the finite pixels, ascending. */
  readonly magnitudes: Float32Array;
  /** mass[k] is the sum of the k largest magnitudes. */
  readonly #mass: Float64Array;

  constructor(
    readonly sign: Sign,
    readonly width: number,
    readonly height: number,
    values: Float32Array,
  ) {
    this.values = values;
    this.order = argsort(values);
    this.bins = makeBins(values, this.order);
    this.magnitudes = sortedMagnitudes(values, this.order);
    const n = this.magnitudes.length;
    this.#mass = new Float64Array(n + 1);
    for (let k = 0; k < n; k++) this.#mass[k + 1] = this.#mass[k]! + this.magnitudes[n - 1 - k]!;
  }

  static from(
    values: Float32Array,
    shape: readonly [number, number, number],
    sign: Sign,
    _reduction: Reduction = "default",
  ): Field {
    return new Field(sign, shape[2], shape[1], reduceChannels(values, shape[0], sign));
  }

  get finite(): number {
    return this.order.length;
  }

  get missing(): number {
    return this.values.length - this.order.length;
  }

  /** Whether every finite pixel is exactly zero; also where no pixel is finite. */
  get zero(): boolean {
    return !(this.finite > 0 && this.magnitudes[this.finite - 1]! > 0);
  }

  /** The position of the strongest pixel; null where none is stronger than nothing. */
  get strongest(): number | null {
    const n = this.finite;
    if (this.zero) return null;
    const first = this.order[0]!;
    const last = this.order[n - 1]!;
    return Math.abs(this.values[first]!) > Math.abs(this.values[last]!) ? first : last;
  }

  /** The magnitude at the end of the colours: an order statistic, never interpolated. 0 only for a zero map. */
  level(clip: number): number {
    const n = this.finite;
    if (n === 0) return 0;
    const level = this.magnitudes[Math.min(Math.max(Math.ceil((clip * n) / 100) - 1, 0), n - 1)]!;
    return level > 0 ? level : this.magnitudes[n - 1]!;
  }

  /** The strongest `percent` of the area; equal magnitudes stay or go together. */
  keep(percent: number): Kept {
    const n = this.finite;
    const asked = Math.min(Math.floor((percent * n) / 100 + 0.5), n);
    const total = this.#mass[n]!;
    if (!(asked > 0)) return { cut: Number.POSITIVE_INFINITY, count: 0, area: 0, mass: total > 0 ? 0 : null };
    const cut = this.magnitudes[n - asked]!;
    const count = n - countBelow(this.magnitudes, cut);
    return { cut, count, area: count / n, mass: total > 0 ? this.#mass[count]! / total : null };
  }

  /** Where one pixel stands by magnitude; null where it has no number. */
  rank(position: number): Rank | null {
    const magnitude = Math.abs(this.values[position] ?? Number.NaN);
    if (Number.isNaN(magnitude)) return null;
    const of = this.finite;
    return {
      rank: 1 + of - countUpTo(this.magnitudes, magnitude),
      of,
      percentile: (100 * countBelow(this.magnitudes, magnitude)) / of,
    };
  }
}

/** Merges the two ends: from zero downwards and from zero upwards, magnitudes are in order already. */
function sortedMagnitudes(values: Float32Array, order: Uint32Array): Float32Array {
  const n = order.length;
  const magnitudes = new Float32Array(n);
  let up = 0;
  while (up < n && values[order[up]!]! < 0) up++;
  let down = up - 1;
  for (let k = 0; k < n; k++) {
    const below = down >= 0 ? -values[order[down]!]! : Number.POSITIVE_INFINITY;
    const above = up < n ? values[order[up]!]! : Number.POSITIVE_INFINITY;
    if (below < above) {
      magnitudes[k] = below;
      down--;
    } else {
      magnitudes[k] = above;
      up++;
    }
  }
  return magnitudes;
}
