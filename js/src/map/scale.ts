import { clamp } from "./format";
/** Positions of the threshold slider: from everything to a thousandth of the area, evenly in the logarithm. */
export const STEPS = 300;
const DECADES = 3;

/** Percent of the area kept at a position of the slider, to three significant digits. */
export function percentAt(position: number): number {
  const bounded = clamp(position, 0, STEPS);
  return Number((100 * 10 ** ((-DECADES * bounded) / STEPS)).toPrecision(3));
}

export function positionOf(percent: number): number {
  if (!(percent > 0)) return STEPS;
  const position = Math.round((-Math.log10(Math.min(percent, 100) / 100) * STEPS) / DECADES);
  return clamp(position, 0, STEPS);
}
