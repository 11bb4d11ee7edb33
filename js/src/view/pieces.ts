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

/** Goes through the drawn pixels that a piece has: where each is drawn, and where it is in the piece. */
export function within(piece: Area, part: Part, visit: (o: number, i: number) => void): void {
  const { step, across, down } = part;
  const first = (from: number, start: number) => Math.max(0, Math.ceil((from - start) / step));
  const x0 = first(piece.left, part.left);
  const y0 = first(piece.top, part.top);
  const x1 = Math.min(across, first(piece.left + piece.width, part.left));
  const y1 = Math.min(down, first(piece.top + piece.height, part.top));
  for (let oy = y0; oy < y1; oy++) {
    const row = (part.top + oy * step - piece.top) * piece.width + part.left - piece.left;
    for (let ox = x0; ox < x1; ox++) visit(oy * across + ox, row + ox * step);
  }
}
