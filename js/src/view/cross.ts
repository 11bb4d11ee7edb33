import { make } from "./dom";
import type { Place } from "./place";

/** The canvas is so much larger than the picture on each side, so that a crosshair at the edge is whole. */
const MARGIN = 12;
const ARM = 8;

type Strokes = readonly (readonly [x0: number, y0: number, x1: number, y1: number])[];

/** The crosshair, and around it the cell where a map has cells. */
export class Cross {
  readonly element = make("canvas", { "data-layer": "cross" });

  /** `size` is the picture's in pixels, `grid` the map's where it is coarser. */
  draw(
    place: Place | null,
    [across, down]: readonly [number, number],
    grid: readonly [number, number] | null,
  ): void {
    const canvas = this.element;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (width === 0 || height === 0) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.clearRect(0, 0, width, height);
    if (!place) return;
    const margin = MARGIN * ratio;
    const [w, h] = [width - 2 * margin, height - 2 * margin];
    const x = margin + ((place.column + 0.5) * w) / across;
    const y = margin + ((place.row + 0.5) * h) / down;
    // The arms begin outside the pixel, so that its colour can be seen.
    const gap = [
      Math.max(4 * ratio, w / across / 2 + ratio),
      Math.max(4 * ratio, h / down / 2 + ratio),
    ] as const;
    const strokes = [...arms(x, y, gap, ARM * ratio)];
    if (grid) {
      const [column, row] = [
        Math.floor(((place.column + 0.5) * grid[0]) / across),
        Math.floor(((place.row + 0.5) * grid[1]) / down),
      ];
      strokes.push(
        ...box(margin + (column * w) / grid[0], margin + (row * h) / grid[1], w / grid[0], h / grid[1]),
      );
    }
    // Light on dark, so that it is seen on any colour.
    for (const [colour, thick] of [
      ["rgba(0, 0, 0, 0.65)", 3 * ratio],
      ["rgb(255, 255, 255)", 1.25 * ratio],
    ] as const) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.beginPath();
      for (const [x0, y0, x1, y1] of strokes) {
        pen.moveTo(x0, y0);
        pen.lineTo(x1, y1);
      }
      pen.stroke();
    }
  }
}

function arms(x: number, y: number, [gapX, gapY]: readonly [number, number], arm: number): Strokes {
  return [
    [x + gapX, y, x + gapX + arm, y],
    [x - gapX, y, x - gapX - arm, y],
    [x, y + gapY, x, y + gapY + arm],
    [x, y - gapY, x, y - gapY - arm],
  ];
}

function box(x: number, y: number, w: number, h: number): Strokes {
  return [
    [x, y, x + w, y],
    [x + w, y, x + w, y + h],
    [x + w, y + h, x, y + h],
    [x, y + h, x, y],
  ];
}
