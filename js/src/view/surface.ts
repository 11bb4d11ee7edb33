import type { Area } from "../map/paint";
import { overlap } from "./pieces";
import { lay, type Part, placedIn, type Rect } from "./viewport";

/** What a canvas shows. */
interface Painted {
  readonly part: Part;
  readonly pieces: readonly Area[];
  readonly state: readonly unknown[];
}

/** A canvas that holds the part of a grid that is seen, laid where that part is. */
export class Surface {
  #image: ImageData | null = null;
  #painted: Painted | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {}

  /** What was drawn may be lost, or is something else now. */
  forget(): void {
    this.#painted = null;
  }

  /** Room for so many pixels; the same as before where they are as many. */
  image(width: number, height: number): ImageData {
    const held = this.#image;
    if (held?.width === width && held.height === height) return held;
    this.#image = new ImageData(width, height);
    return this.#image;
  }

  /**
   * Draws a part of a grid. What was painted in the same state is moved with it, so that `paint` is asked only for what has
   * come into sight, and for those of the pieces it is made of that are new.
   */
  paint(
    part: Part,
    pieces: readonly Area[],
    state: readonly unknown[],
    paint: (part: Part, out: Uint32Array) => void,
  ): void {
    const before = this.#painted;
    const data = this.image(part.across, part.down);
    const out = new Uint32Array(data.data.buffer);
    const missing = before && same(before.state, state) ? move(before, part, pieces, out) : [part];
    this.#painted = { part, pieces, state };
    if (missing.length === 0) return;
    for (const one of missing) {
      if (one.across === part.across) {
        const from = ((one.top - part.top) / part.step) * part.across;
        paint(one, out.subarray(from, from + one.down * one.across));
        continue;
      }
      const own = new Uint32Array(one.across * one.down);
      paint(one, own);
      const { x0, y0 } = overlap(one, part);
      for (let y = 0; y < one.down; y++) {
        out.set(own.subarray(y * one.across, (y + 1) * one.across), (y0 + y) * part.across + x0);
      }
    }
    put(this.canvas, data);
  }

  /** What draws on a canvas of this size. */
  pen(width: number, height: number): CanvasRenderingContext2D | null {
    this.forget();
    return penOf(this.canvas, width, height);
  }

  /** Lays the canvas where a part of a grid is; `screen` is the width of what is seen in pixels of the screen. */
  place(area: Rect, grid: readonly [number, number], part: Part, seen: Rect, screen: number): void {
    const rect = placedIn(area, grid, part, seen);
    this.lay(rect, screen * rect.width, part.across);
  }

  /** Sharp pixels where they are enlarged; averaged where several share a point of the screen. */
  lay(rect: Rect, shown: number, pixels: number): void {
    lay(this.canvas, rect);
    this.canvas.style.imageRendering = shown >= pixels * 0.999 ? "pixelated" : "auto";
  }
}

/** Moves the pixels that two parts share to where the second has them; what of it is then still to be painted. */
function move(
  { part: from, pieces: old }: Painted,
  to: Part,
  pieces: readonly Area[],
  out: Uint32Array,
): Part[] {
  const { across, down, step } = to;
  const x = (to.left - from.left) / step;
  const y = (to.top - from.top) / step;
  const gone = old.some((one) => !pieces.includes(one) && some(partOf(one, to)));
  const other = from.across !== across || from.down !== down || from.step !== step;
  if (gone || other || Math.abs(x) >= across || Math.abs(y) >= down) return [to];
  // Rows follow one another: what leaves a row at one end lands in the next where the strip at the other end is painted.
  const by = y * across + x;
  if (by > 0) out.copyWithin(0, by);
  else if (by < 0) out.copyWithin(-by, 0, by);
  return [
    within(to, 0, y > 0 ? down - y : 0, across, y > 0 ? down : -y),
    within(to, x > 0 ? across - x : 0, 0, x > 0 ? across : -x, down),
    ...pieces.filter((one) => !old.includes(one)).map((one) => partOf(one, to)),
  ].filter(some);
}

function some({ across, down }: Part): boolean {
  return across > 0 && down > 0;
}

/** The drawn pixels of a part that lie in an area. */
function partOf(area: Area, part: Part): Part {
  const { x0, y0, x1, y1 } = overlap(area, part);
  return within(part, x0, y0, x1, y1);
}

function within({ top, left, step }: Part, x0: number, y0: number, x1: number, y1: number): Part {
  const [across, down] = [x1 - x0, y1 - y0];
  return {
    top: top + y0 * step,
    left: left + x0 * step,
    width: across * step,
    height: down * step,
    step,
    down,
    across,
  };
}

export function penOf(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | null {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return canvas.getContext("2d");
}

export function put(canvas: HTMLCanvasElement, data: ImageData): void {
  penOf(canvas, data.width, data.height)?.putImageData(data, 0, 0);
}

/** Whether nothing has changed of what is drawn. */
export function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
