import type { Part } from "./viewport";

/** Fills the drawn pixels of a part of a fine grid from a coarser one over the same area. */
export function sample(
  out: Uint32Array,
  { top, left, down, across, step }: Part,
  [width, height]: readonly [number, number],
  [columns, rows]: readonly [number, number],
  colour: (i: number) => number,
): void {
  const at = (from: number, k: number, all: number, cells: number) =>
    Math.min(cells - 1, Math.floor(((from + k * step + 0.5) * cells) / all));
  const xs = Int32Array.from({ length: across }, (_, k) => at(left, k, width, columns));
  for (let k = 0, o = 0; k < down; k++) {
    const row = at(top, k, height, rows) * columns;
    for (let x = 0; x < across; x++, o++) out[o] = colour(row + xs[x]!);
  }
}

interface Area {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Where the drawn pixels of a part begin and end that a piece has, among those drawn. */
export function overlap(
  piece: Area,
  { top, left, step, across, down }: Part,
): { x0: number; y0: number; x1: number; y1: number } {
  const first = (from: number, start: number) => Math.max(0, Math.ceil((from - start) / step));
  return {
    x0: first(piece.left, left),
    y0: first(piece.top, top),
    x1: Math.min(across, first(piece.left + piece.width, left)),
    y1: Math.min(down, first(piece.top + piece.height, top)),
  };
}

/** Writes the drawn pixels that a piece has; `colours` has the colour of each of its pixels. */
export function copyPiece(piece: Area, colours: Uint32Array, part: Part, out: Uint32Array): void {
  const { x0, y0, x1, y1 } = overlap(piece, part);
  const { step, across } = part;
  for (let y = y0; y < y1; y++) {
    const row = (part.top + y * step - piece.top) * piece.width + part.left - piece.left;
    if (step === 1) out.set(colours.subarray(row + x0, row + x1), y * across + x0);
    else for (let x = x0; x < x1; x++) out[y * across + x] = colours[row + x * step]!;
  }
}
