import { lay, type Part, placedIn, type Rect } from "./viewport";

/** A canvas that holds the part of a grid that is seen, laid where that part is. */
export class Surface {
  #image: ImageData | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {}

  /** Room for so many pixels; the same as before where they are as many. */
  image(width: number, height: number): ImageData {
    const held = this.#image;
    if (held?.width === width && held.height === height) return held;
    this.#image = new ImageData(width, height);
    return this.#image;
  }

  /** What draws on a canvas of this size. */
  pen(width: number, height: number): CanvasRenderingContext2D | null {
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
