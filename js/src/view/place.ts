import { cellAt } from "../map/enlarge";

/** A pixel of the picture, counted from 0. */
export interface Place {
  readonly row: number;
  readonly column: number;
  /** Where a pointer is exactly, as fractions of the picture: of a reduced picture one pixel stands for several. */
  readonly exact?: { readonly row: number; readonly column: number };
}

/** The longer side of the picture on the page, in its pixels. */
const LONGEST = 448;
/** A side that is shorter than this could be neither seen nor pointed at. */
const LEAST = 32;

export interface Shape {
  readonly width: number;
  readonly height: number;
  /** Whether its sides are not in the picture's own proportion. */
  readonly drawnOut: boolean;
}

/** How large a picture of this width and height is drawn, at most; one that would be a line is drawn out. */
export function shapeOf([across, down]: readonly [number, number]): Shape {
  const longest = Math.max(across, down);
  const width = (across * LONGEST) / longest;
  const height = (down * LONGEST) / longest;
  const drawnOut = Math.min(width, height) < LEAST;
  return { width: Math.max(LEAST, width), height: Math.max(LEAST, height), drawnOut };
}

/** The same part of a picture of another size. */
export function carried(
  place: Place,
  [across, down]: readonly [number, number],
  [width, height]: readonly [number, number],
): Place {
  if (across === width && down === height) return place;
  return { ...place, row: cellAt(place.row, height, down), column: cellAt(place.column, width, across) };
}

/** The same on a finer grid: where a pointer is exactly, or else the middle of the pixel. */
export function finePlace(
  place: Place,
  size: readonly [number, number],
  fine: readonly [number, number],
): Place {
  const { exact, row, column } = place;
  const on = (at: number, pixels: number) => Math.max(0, Math.min(pixels - 1, Math.floor(at * pixels)));
  // A place that was moved since, or is of another picture, is no longer where the pointer was.
  return exact && on(exact.row, size[1]) === row && on(exact.column, size[0]) === column
    ? { row: on(exact.row, fine[1]), column: on(exact.column, fine[0]) }
    : carried(place, size, fine);
}
