import type { Area, Window } from "../map/paint";
import type { Store } from "../state/store";
import { FIT, type Viewport } from "../state/traits";
import { type Framing, framingOf, middleIn } from "./framing";
import type { Place } from "./place";

/** A part of what is framed, in fractions of it; it may reach beyond. */
export interface Rect {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export const WHOLE: Rect = { left: 0, top: 0, width: 1, height: 1 };

/** Width and height in pixels of the screen. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** A point of what is framed, as fractions of its height and width. */
export interface Point {
  readonly row: number;
  readonly column: number;
}

/** Pixels of a grid, of which each `step`-th is drawn; at the grid's end as if the last block of them were whole. */
export interface Part extends Window {
  /** How many are drawn. */
  readonly down: number;
  readonly across: number;
}

/** As large as a pixel becomes on a picture of `NOMINAL`: on the smallest panel it is still large enough for a number. */
const LARGEST = 96;
const NOMINAL = 448;
/** A picture of few pixels can be zoomed in too. */
const LEAST_MOST = 8;

/** How far it can be zoomed in, for a picture of so many pixels on its longer side. */
export function mostZoom(pixels: number): number {
  return Math.max(LEAST_MOST, (pixels * LARGEST) / NOMINAL);
}

/** What is seen: never anything beyond what is framed. */
export function seenBy({ zoom, row, column }: Viewport): Rect {
  const side = 1 / zoom;
  const start = (centre: number) => Math.max(0, Math.min(1 - side, centre - side / 2));
  return { left: start(column), top: start(row), width: side, height: side };
}

/** Zoomed by a factor, such that `point` stays where it is on the screen; to its middle where it was not seen. */
export function zoomed(viewport: Viewport, factor: number, point: Point, most: number): Viewport {
  const zoom = Math.max(1, Math.min(most, viewport.zoom * factor));
  // What is all but the whole picture is meant to be the whole.
  if (zoom < 1.01) return FIT;
  const seen = seenBy(viewport);
  const along = (at: number, start: number) => {
    const share = (at - start) / seen.width;
    const kept = share >= 0 && share <= 1 ? share : 0.5;
    return at + (0.5 - kept) / zoom;
  };
  return settled({ zoom, row: along(point.row, seen.top), column: along(point.column, seen.left) });
}

/** Moved by fractions of what is seen. */
export function moved(viewport: Viewport, rows: number, columns: number): Viewport {
  const { zoom, row, column } = settled(viewport);
  return settled({ zoom, row: row + rows / zoom, column: column + columns / zoom });
}

function settled({ zoom, row, column }: Viewport): Viewport {
  const seen = seenBy({ zoom, row, column });
  return { zoom, row: seen.top + seen.height / 2, column: seen.left + seen.width / 2 };
}

/**
 * The pixels of a grid that are seen, where the grid covers `area`. Their number depends on the zoom alone, so that a
 * canvas keeps its size while it is panned, and they begin at a multiple of the step, so that what is panned stands still.
 */
export function pixelsSeen(
  area: Rect,
  [columns, rows]: readonly [number, number],
  seen: Rect,
  step = 1,
): Part {
  const span = (start: number, size: number, from: number, side: number, pixels: number) => {
    const blocks = pixels / step;
    const all = Math.ceil(blocks);
    const number = Math.min(all, Math.ceil((side / size) * blocks - 1e-9) + 1);
    const first = Math.floor(((from - start) / size) * blocks);
    return [step * Math.max(0, Math.min(all - number, first)), number] as const;
  };
  const [left, across] = span(area.left, area.width, seen.left, seen.width, columns);
  const [top, down] = span(area.top, area.height, seen.top, seen.height, rows);
  return { top, left, height: down * step, width: across * step, step, down, across };
}

/** Each how-manieth pixel is worth drawing: no more than the screen can show, and no more than `most` in all. */
export function stepFor(
  area: Rect,
  [columns, rows]: readonly [number, number],
  seen: Rect,
  screen: number,
  most: number,
): number {
  const width = Math.min(1, seen.width / area.width) * columns;
  const height = Math.min(1, seen.height / area.height) * rows;
  const shown = screen > 0 ? Math.floor(width / screen) : 1;
  return Math.max(1, shown, Math.ceil(Math.sqrt((width * height) / most)));
}

/** Where pixels of a grid lie, in fractions of what is seen. */
export function placedIn(
  area: Rect,
  [columns, rows]: readonly [number, number],
  { top, left, height, width }: Area,
  seen: Rect,
): Rect {
  return {
    left: (area.left + (left / columns) * area.width - seen.left) / seen.width,
    top: (area.top + (top / rows) * area.height - seen.top) / seen.height,
    width: ((width / columns) * area.width) / seen.width,
    height: ((height / rows) * area.height) / seen.height,
  };
}

/** Lays an element over a part of its parent. */
export function lay(element: HTMLElement | SVGElement, { left, top, width, height }: Rect): void {
  const { style } = element;
  style.left = `${100 * left}%`;
  style.top = `${100 * top}%`;
  style.width = `${100 * width}%`;
  style.height = `${100 * height}%`;
}

function look(store: Store): { framing: Framing; most: number } {
  const { info } = store;
  const framing = framingOf(store, info);
  const from = store.shown?.reducedFrom ?? [info.height, info.width];
  const share = Math.max(framing.picture.width, framing.picture.height);
  return { framing, most: mostZoom(Math.max(1, ...from) / share) };
}

/** Zooms by a factor, about a pixel of the picture or else about the middle of what is seen. */
export function zoomBy(store: Store, factor: number, place: Place | null = null): void {
  const { framing } = look(store);
  zoomAbout(store, factor, place ? middleIn(framing, place) : store.traits.viewport);
  store.saveSoon();
}

/** The same about a point of what is framed; the gesture may go on. */
export function zoomAbout(store: Store, factor: number, point: Point): void {
  show(store, zoomed(store.traits.viewport, factor, point, look(store).most));
}

/** Moves what is seen down and to the right by fractions of itself. */
export function panBy(store: Store, rows: number, columns: number): void {
  show(store, moved(store.traits.viewport, rows, columns));
  store.saveSoon();
}

/** Pans as little as is needed for a pixel of the picture to be seen. */
export function reveal(store: Store, place: Place): void {
  const { viewport } = store.traits;
  if (viewport.zoom === 1) return;
  const seen = seenBy(viewport);
  const point = middleIn(look(store).framing, place);
  // Not at the very edge: what is round about a pixel is looked at too.
  const edge = seen.width / 10;
  const along = (at: number, start: number) => {
    const inside = Math.max(start + edge, Math.min(start + seen.width - edge, at));
    return at - inside;
  };
  const rows = along(point.row, seen.top);
  const columns = along(point.column, seen.left);
  if (rows === 0 && columns === 0) return;
  show(store, moved(viewport, rows / seen.height, columns / seen.width));
  store.saveSoon();
}

/** Shows the whole picture. */
export function fit(store: Store): void {
  show(store, FIT);
  store.saveSoon();
}

/** How it is zoomed while the gesture lasts. */
export function show(store: Store, { zoom, row, column }: Viewport): void {
  const now = store.traits.viewport;
  if (now.zoom === zoom && now.row === row && now.column === column) return;
  store.set("viewport", [zoom, row, column]);
}

/** Whether it can be zoomed in and out further. */
export function canZoom(store: Store): { in: boolean; out: boolean } {
  const { zoom } = store.traits.viewport;
  return { in: zoom < look(store).most * 0.999, out: zoom > 1 };
}
