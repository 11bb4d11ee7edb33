import type { Field } from "./field";

/** No two places are nearer to each other than this part of the longer side. */
const APART = 1 / 10;

/**
 * Positions of up to `n` strong pixels, the strongest first, for a description in words: each is the strongest of those
 * far enough from all before it, so that one bright spot is named once. Zeros are never named.
 */
export function strongestPlaces(field: Field, n: number): number[] {
  const { values, width } = field;
  const apart = Math.max(width, field.height) * APART;
  const taken: number[] = [];
  const free = (at: number) =>
    taken.every((other) => {
      const across = (at % width) - (other % width);
      const down = Math.floor(at / width) - Math.floor(other / width);
      return across * across + down * down >= apart * apart;
    });
  while (taken.length < n) {
    let best = 0;
    let found = -1;
    for (let i = 0; i < values.length; i++) {
      const magnitude = Math.abs(values[i]!);
      if (magnitude > best && free(i)) {
        best = magnitude;
        found = i;
      }
    }
    if (found < 0) break;
    taken.push(found);
  }
  return taken;
}
