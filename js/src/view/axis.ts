import type { Field } from "../map/field";
import { clamp } from "../map/format";
import { countBelow } from "../map/order";
import type { Sign } from "../map/reduce";

/** So much of the axis is even; in what remains the few strongest values are drawn together, evenly in the logarithm. */
const EVEN = 0.92;
/** More different values than 8 bits have. */
const FEW = 512;
const LEAST = 9;
/** Where the level stands that nearly every map is looked at with. */
const USUAL = { clip: 99, at: 0.6 };

/**
 * The values under the colour bar, from 0 at its zero to the strongest at its end. It depends on the maps alone and never on the
 * clip, so that it stays while the clip is dragged.
 */
export interface Axis {
  /** The magnitude up to which it is even. */
  readonly bend: number;
  readonly end: number;
}

/** `level` counts where it lies beyond all the maps, as that of a locked scale may. */
export function axisFor(fields: readonly Field[], level: number): Axis {
  const largest = Math.max(0, ...fields.map((field) => field.largest));
  if (level > largest) return { bend: level, end: level };
  const usual = Math.max(0, ...fields.map((field) => field.level(USUAL.clip)));
  const bend = (usual * EVEN) / USUAL.at;
  return bend < largest ? { bend, end: largest } : { bend: largest, end: largest };
}

/** Where a magnitude stands, 0 to 1. */
export function positionAt({ bend, end }: Axis, magnitude: number): number {
  if (!(magnitude > 0) || end === 0) return 0;
  if (bend === end) return Math.min(1, magnitude / end);
  if (magnitude <= bend) return (EVEN * magnitude) / bend;
  return Math.min(1, EVEN + ((1 - EVEN) * Math.log(magnitude / bend)) / Math.log(end / bend));
}

export function magnitudeAt({ bend, end }: Axis, position: number): number {
  const at = clamp(position, 0, 1);
  if (at === 1 || bend === end) return at * end;
  if (at <= EVEN) return (bend * at) / EVEN;
  return bend * (end / bend) ** ((at - EVEN) / (1 - EVEN));
}

/** Where along the bar, 0 to 1, a position of the axis is; a signed map has each twice, the upper first. */
export function alongBar(sign: Sign, position: number): readonly number[] {
  if (sign === "signed") return [(1 + position) / 2, (1 - position) / 2];
  return [sign === "negative" ? 1 - position : position];
}

export function fromBar(sign: Sign, along: number): number {
  const bounded = clamp(along, 0, 1);
  if (sign === "signed") return Math.abs(2 * bounded - 1);
  return sign === "negative" ? 1 - bounded : bounded;
}

/** How many finite values lie between neighbouring edges of `bins` equal stretches of the bar, from its left to its right. */
export function countsAlong(field: Field, axis: Axis, bins: number): Uint32Array {
  const { sign, finite } = field;
  const counts = new Uint32Array(bins);
  let before = 0;
  for (let b = 0; b < bins; b++) {
    const upTo = b === bins - 1 ? finite : below(field, axis, (b + 1) / bins);
    counts[b] = upTo - before;
    before = upTo;
  }
  return sign === "negative" ? counts.reverse() : counts;
}

/**
 * So many bins at most that none is narrower than the steps between the values, where those are few and even, as on a page that
 * keeps 8 bits: a narrower one would be empty without meaning anything. Odd for a signed map.
 */
export function binsFor({ bins: { firsts, count }, sign }: Field, axis: Axis, most: number): number {
  if (count > FEW) return most;
  const gaps = Array.from(firsts.subarray(1), (value, b) => value - firsts[b]!);
  const step = Math.min(...gaps.filter((gap) => gap > 0));
  // A little wider than a step, so that no rounding makes one narrower.
  const side = Math.floor((0.98 * axis.bend) / (step * positionAt(axis, axis.bend)));
  const bins = sign === "signed" ? 2 * side + 1 : side;
  return bins >= LEAST && bins < most ? bins : most;
}

/** The values left of a point of the bar; those of a negative map counted from its zero. */
function below(field: Field, axis: Axis, along: number): number {
  if (field.sign !== "signed") return field.countBelow(magnitudeAt(axis, along));
  return countBelow(field.sorted, Math.sign(along - 0.5) * magnitudeAt(axis, Math.abs(2 * along - 1)));
}

/** The clip whose level is the largest that is not above `magnitude`: a percentile of |value|, 50 to 100. */
export function clipAt(field: Field, magnitude: number): number {
  const { finite } = field;
  if (finite === 0) return 100;
  // A level of zero would stand for the largest value instead: no lower than the weakest value there is.
  const least = Math.min(finite, field.countUpTo(0) + 1);
  const kept = Math.max(least, field.countUpTo(magnitude));
  // Downwards: a percentile that is rounded up belongs to the next stronger value.
  return Math.max(50, readable((100 * kept) / finite, finite, Math.floor));
}

/** The threshold that keeps what is not weaker than `magnitude`: percent of the area. */
export function thresholdAt(field: Field, magnitude: number): number {
  if (field.finite === 0 || !(magnitude > 0)) return 100;
  const least = 100 / field.finite;
  return readable(Math.max(least, field.percentOf(magnitude)), field.finite, Math.round);
}

/** A percentage with no more digits than it takes to tell one value in `of` from the next. */
function readable(percent: number, of: number, round: (value: number) => number): number {
  const scale = 10 ** (Math.max(0, Math.ceil(Math.log10(of / 100))) + 1);
  return round(percent * scale + 1e-7) / scale;
}

/** The percentage of finite values that are stronger than the end of the colours. */
export function clippedPercent(field: Field, level: number): number {
  return field.finite === 0 ? 0 : (100 * (field.finite - field.countUpTo(level))) / field.finite;
}
