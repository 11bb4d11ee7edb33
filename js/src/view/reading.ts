import { number3, percent, signed3 } from "../map/format";
import type { Place } from "./place";
import { type Drawn, positionIn, type Scene } from "./scene";
import { channelsAt, decisive, isOfScore } from "./words";

/** What a map says at one place. */
export interface Reading {
  /** The map's pixel or cell. */
  readonly at: number;
  readonly value: number;
  readonly percentile: number | null;
}

/** null where the place lies outside of the map's picture. */
export function readingOf(drawn: Drawn, [across, down]: Scene["size"], place: Place): Reading | null {
  if (place.row >= down || place.column >= across) return null;
  const at = positionIn(drawn, [across, down], place);
  const value = drawn.field.values[at];
  if (value === undefined) return null;
  return { at, value, percentile: drawn.field.rank(at)?.percentile ?? null };
}

/** A value of the map as it is shown: only a magnitude has no sign. */
export function valueWords({ field }: Drawn, value: number): string {
  return field.sign === "absolute" ? number3(value) : signed3(value);
}

export function strongerWords(percentile: number): string {
  return percentile === 0 ? "stronger than none" : `stronger than ${percent(percentile)}`;
}

/** What a place does to the score in one word. */
export function effectWord(
  drawn: Drawn,
  scene: Pick<Scene, "sign" | "reduction">,
  { at, value }: Reading,
): string {
  if (Number.isNaN(value)) return "no number";
  const { sign } = decisive(drawn, scene, channelsAt(drawn, at));
  if (Number.isNaN(sign)) return "direction not kept";
  if (!isOfScore(drawn.header)) return sign > 0 ? "positive" : sign < 0 ? "negative" : "zero";
  return sign > 0 ? "raises" : sign < 0 ? "lowers" : "neither";
}
