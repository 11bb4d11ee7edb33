import { cellAt } from "../map/enlarge";
import type { Area } from "../map/paint";
import type { Detail, Piece } from "./detail";
import type { Part } from "./viewport";

type Pixels = Float32Array | Uint32Array;

/** Fills the drawn pixels of a part of a fine grid from a coarser one over the same area. */
export function sample<P extends Pixels>(
  out: P,
  { top, left, down, across, step }: Part,
  [width, height]: readonly [number, number],
  [columns, rows]: readonly [number, number],
  coarse: P,
): void {
  const at = (from: number, k: number, all: number, cells: number) => cellAt(from + k * step, cells, all);
  const xs = Int32Array.from({ length: across }, (_, k) => at(left, k, width, columns));
  for (let k = 0, o = 0; k < down; k++) {
    const row = at(top, k, height, rows) * columns;
    for (let x = 0; x < across; x++, o++) out[o] = coarse[row + xs[x]!]!;
  }
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

/** Writes the drawn pixels that a piece has; `pixels` has all of them. */
export function copyPiece<P extends Pixels>(piece: Area, pixels: P, part: Part, out: P): void {
  const { x0, y0, x1, y1 } = overlap(piece, part);
  if (x0 >= x1) return;
  const { step, across } = part;
  for (let y = y0; y < y1; y++) {
    const row = (part.top + y * step - piece.top) * piece.width + part.left - piece.left;
    if (step === 1) out.set(pixels.subarray(row + x0, row + x1), y * across + x0);
    else for (let x = x0; x < x1; x++) out[y * across + x] = pixels[row + x * step]!;
  }
}

/** Writes what is here of a part at full resolution, and elsewhere what travelled, which is `coarse`. */
export function gather<P extends Pixels>(
  out: P,
  part: Part,
  { size, pieces, whole }: Detail,
  coarse: P,
  grid: readonly [number, number],
  pixelsOf: (piece: Piece) => P | null,
): void {
  if (!whole || !pieces.every(pixelsOf)) sample(out, part, size, grid, coarse);
  for (const piece of pieces) {
    const pixels = pixelsOf(piece);
    if (pixels) copyPiece(piece, pixels, part, out);
  }
}
