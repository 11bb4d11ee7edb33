import { clamp, count } from "../map/format";
import type { Info } from "../map/header";
import type { Store } from "../state/store";
import { originalOf } from "./original";
import type { Place } from "./place";
import { type Point, type Rect, WHOLE } from "./viewport";

/** What the stage shows the whole of at a zoom of 1: the model's picture, or the original with that laid over it. */
export interface Framing {
  /** Width and height in its own pixels. */
  readonly size: readonly [number, number];
  /** Where the model's picture lies. */
  readonly picture: Rect;
  /** Width and height of the model's picture in pixels. */
  readonly pixels: readonly [number, number];
  /** The original and where it lies; null where it is not shown. */
  readonly original: { readonly bitmap: ImageBitmap; readonly area: Rect } | null;
  /** What is to be said of it. */
  readonly words: string;
}

export function framingOf(store: Store, info: Info, size?: readonly [number, number]): Framing {
  const pixels = size ?? ([info.width || 1, info.height || 1] as const);
  const own: Framing = { size: pixels, picture: WHOLE, pixels, original: null, words: "" };
  if (store.traits.frame !== "original") return own;
  const found = originalOf(store, info);
  const { original } = info;
  if (!original || !("bitmap" in found)) return { ...own, words: "why" in found ? found.why : "" };
  const { width, height } = original;
  const [top, left, bottom, right] = original.box;
  // Where the model's picture has borders that the original lacks, they are seen too.
  const frame = {
    left: Math.min(0, left),
    top: Math.min(0, top),
    right: Math.max(width, right),
    bottom: Math.max(height, bottom),
  };
  const across = frame.right - frame.left;
  const down = frame.bottom - frame.top;
  const within = (t: number, l: number, b: number, r: number): Rect => ({
    left: (l - frame.left) / across,
    top: (t - frame.top) / down,
    width: (r - l) / across,
    height: (b - t) / down,
  });
  const { bitmap } = found;
  const whole = top <= 0 && left <= 0 && bottom >= height && right >= width;
  const words = [`The original picture, ${count(width)} × ${count(height)}`];
  if (bitmap.width < width) {
    words.push(`reduced to ${count(bitmap.width)} × ${count(bitmap.height)} to travel`);
  }
  if (!whole) words.push("dimmed where the model never saw it");
  return {
    size: [across, down],
    picture: within(top, left, bottom, right),
    pixels,
    original: { bitmap, area: within(0, 0, height, width) },
    words: `${words.join(", ")}.`,
  };
}

/** The middle of a pixel of the picture. */
export function middleIn({ picture, pixels: [across, down] }: Framing, place: Place): Point {
  return {
    row: picture.top + ((place.row + 0.5) / down) * picture.height,
    column: picture.left + ((place.column + 0.5) / across) * picture.width,
  };
}

/** The picture's pixel at a point; null outside the picture. */
export function placeIn({ picture, pixels: [across, down] }: Framing, { row, column }: Point): Place | null {
  const x = ((column - picture.left) / picture.width) * across;
  const y = ((row - picture.top) / picture.height) * down;
  // A point on the edge, give or take a rounding, is of the outermost pixel.
  if (x < -1e-6 || y < -1e-6 || x > across + 1e-6 || y > down + 1e-6) return null;
  const inside = (at: number, all: number) => clamp(Math.floor(at), 0, all - 1);
  return { row: inside(y, down), column: inside(x, across), exact: { row: y / down, column: x / across } };
}
