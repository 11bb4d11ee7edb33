import { clamp } from "../map/format";
import { make } from "./dom";
import { type Framing, middleIn } from "./framing";
import { carried, type Place } from "./place";
import type { Rect } from "./viewport";

/** The canvas is so much larger than the picture on each side, so that a crosshair at the edge is whole. */
const MARGIN = 12;
const ARM = 8;
/** A pixel that is so large is marked as a whole. */
const LARGE = 12;
const PIN = 8;

type Strokes = readonly (readonly [x0: number, y0: number, x1: number, y1: number])[];

export interface Marks {
  readonly place: Place;
  /** The framing of the pixels of which that is one. */
  readonly own: Framing;
  readonly pins: readonly Place[];
  /** Columns and rows of the map where it is coarser than the picture. */
  readonly grid: readonly [number, number] | null;
  readonly framing: Framing;
  readonly seen: Rect;
}

/** The crosshair, around it the cell where a map has cells, and the pins. */
export function makeCross() {
  const element = make("canvas", { "data-layer": "cross" });
  let size: readonly [number, number] = [0, 0];

  /** The canvas's own size on the page; measured when that changes, because asking costs a layout. */
  function fit(width: number, height: number): void {
    size = [width && width + 2 * MARGIN, height && height + 2 * MARGIN];
  }

  function draw({ place, own, pins, grid, framing, seen }: Marks): void {
    const canvas = element;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = size.map((side) => Math.round(side * ratio)) as [number, number];
    if (width === 0 || height === 0) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.clearRect(0, 0, width, height);
    const margin = MARGIN * ratio;
    const [w, h] = [width - 2 * margin, height - 2 * margin];
    const xOf = (column: number) => margin + ((column - seen.left) / seen.width) * w;
    const yOf = (row: number) => margin + ((row - seen.top) / seen.height) * h;
    const { picture, pixels } = framing;
    const across = (picture.width / seen.width) * w;
    const down = (picture.height / seen.height) * h;
    const pixel = [across / pixels[0], down / pixels[1]] as const;
    const inside = (x: number, y: number) =>
      x > -pixel[0] / 2 && y > -pixel[1] / 2 && x < width + pixel[0] / 2 && y < height + pixel[1] / 2;
    pins.forEach((pin, i) => {
      const at = middleIn(framing, pin);
      const [x, y] = [xOf(at.column), yOf(at.row)];
      if (inside(x, y)) drawPin(pen, x, y, i + 1, ratio, pixel);
    });
    const at = middleIn(own, place);
    const [x, y] = [xOf(at.column), yOf(at.row)];
    const strokes: (readonly [number, number, number, number])[] = [];
    if (inside(x, y)) {
      const one = [across / own.pixels[0], down / own.pixels[1]] as const;
      // The arms begin outside the pixel, so that its colour can be seen.
      const gap = one.map((side) => Math.max(4 * ratio, side / 2 + ratio)) as [number, number];
      strokes.push(...arms(x, y, gap, ARM * ratio));
      if (Math.min(...one) >= LARGE * ratio) {
        strokes.push(...box(x - one[0] / 2, y - one[1] / 2, ...one));
      }
    }
    if (grid) {
      const cell = [across / grid[0], down / grid[1]] as const;
      const { row, column } = carried(place, own.pixels, grid);
      const [x0, y0] = [xOf(picture.left) + column * cell[0], yOf(picture.top) + row * cell[1]];
      // A cell of which only a part is seen has the edge of what is seen for its own.
      const inX = (at: number) => clamp(at, margin, margin + w);
      const inY = (at: number) => clamp(at, margin, margin + h);
      const [left, top] = [inX(x0), inY(y0)];
      const [right, bottom] = [inX(x0 + cell[0]), inY(y0 + cell[1])];
      if (right > left && bottom > top) strokes.push(...box(left, top, right - left, bottom - top));
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

  return { element, fit, draw };
}

/** A number in a circle beside its pixel, with a dot on the pixel. */
function drawPin(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  number: number,
  ratio: number,
  [w, h]: readonly [number, number],
): void {
  const r = PIN * ratio;
  const large = Math.min(w, h) >= LARGE * ratio;
  const [cx, cy] = large ? [x - w / 2, y - h / 2] : [x, y];
  if (large) {
    pen.strokeStyle = "#000";
    pen.lineWidth = ratio;
    pen.strokeRect(x - w / 2, y - h / 2, w, h);
  }
  pen.beginPath();
  pen.arc(cx, cy, r, 0, 2 * Math.PI);
  pen.fillStyle = "#fff";
  pen.fill();
  pen.lineWidth = 1.5 * ratio;
  pen.strokeStyle = "rgba(0, 0, 0, 0.8)";
  pen.stroke();
  pen.fillStyle = "#000";
  pen.font = `600 ${11 * ratio}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(number), cx, cy + 0.5 * ratio);
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
