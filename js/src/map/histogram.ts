import type { Field } from "./field";
import { countBelow } from "./order";

export interface Histogram {
  /** Where the first bin begins and the last one ends. */
  readonly start: number;
  readonly end: number;
  /** Bin k counts the values from its lower edge up to, but without, its upper one; what lies beyond an end is in the bin there. */
  readonly counts: Uint32Array;
}

/**
 * Counts of the finite values in bins of equal width: of a signed map from -end to end, of the others magnitudes from 0.
 * The end is `level`, or the largest magnitude. Where it is 0, zeros are in the first bin; in the middle one if signed.
 */
export function histogram(field: Field, bins: number, level = field.largest): Histogram {
  const signed = field.sign === "signed";
  const start = signed ? 0 - level : 0;
  const counts = new Uint32Array(bins);
  const middle = signed ? bins >> 1 : 0;
  let before = 0;
  for (let bin = 0; bin < bins; bin++) {
    // All edges of a map that is zero are 0, and whatever is not lies beyond them.
    let upTo = field.finite;
    if (bin < bins - 1) {
      const edge = signed ? (level * (2 * (bin + 1) - bins)) / bins : (level * (bin + 1)) / bins;
      if (level === 0) upTo = bin < middle ? below(field, 0) : field.finite - above(field);
      else upTo = below(field, edge);
    }
    counts[bin] = upTo - before;
    before = upTo;
  }
  return { start, end: level, counts };
}

function below(field: Field, edge: number): number {
  return field.sign === "signed" ? countBelow(field.sorted, edge) : field.countBelow(edge);
}

/** How many are stronger than nothing; of a signed map, upwards. */
function above(field: Field): number {
  const { finite } = field;
  return field.sign === "signed"
    ? finite - countBelow(field.sorted, Number.MIN_VALUE)
    : finite - field.countUpTo(0);
}
