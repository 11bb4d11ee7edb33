import { toBytes } from "../map/bytes";
import type { LoadedTile } from "../state/tiles";
import type { Detail } from "./detail";
import { make } from "./dom";
import type { Framing } from "./framing";
import { gather } from "./pieces";
import { Surface, same } from "./surface";
import { type Extent, pixelsSeen, type Rect, stepFor, WHOLE } from "./viewport";

/** What lies outside the model's picture is seen, but is no part of what is looked at. */
const DIMMED = "rgba(0, 0, 0, 0.62)";

/** So many pixels are drawn at most where they are put together one by one. */
const MOST = 500_000;

/** The photograph: the part of it that is seen, at the resolution that is shown. */
export class PhotoLayer {
  readonly element = make("canvas", { "data-layer": "photo" });
  readonly #surface = new Surface(this.element);
  #raw: unknown = undefined;
  #pixels: ImageData | null = null;
  #state: readonly unknown[] = [];

  forget(): void {
    this.#state = [];
    this.#surface.forget();
  }

  update(raw: unknown, framing: Framing, seen: Rect, detail: Detail | null, screen: Extent): void {
    if (framing.original) this.#drawOriginal(framing, framing.original, seen, screen);
    else this.#drawPicture(raw, framing, seen, detail, screen);
  }

  #drawOriginal(
    { picture }: Framing,
    { bitmap, area }: NonNullable<Framing["original"]>,
    seen: Rect,
    { width, height }: Extent,
  ): void {
    this.#surface.lay(WHOLE, width, width);
    const state = [bitmap, seen.left, seen.top, seen.width, width, height, picture.left, picture.width];
    if (same(state, this.#state)) return;
    this.#state = state;
    const pen = this.#surface.pen(Math.max(1, width), Math.max(1, height));
    if (!pen) return;
    pen.clearRect(0, 0, width, height);
    const at = (rect: Rect) =>
      [
        ((rect.left - seen.left) / seen.width) * width,
        ((rect.top - seen.top) / seen.height) * height,
        (rect.width / seen.width) * width,
        (rect.height / seen.height) * height,
      ] as const;
    const whole = at(area);
    pen.imageSmoothingEnabled = whole[2] < bitmap.width;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(bitmap, ...whole);
    const box = at(picture);
    pen.fillStyle = DIMMED;
    pen.beginPath();
    pen.rect(...whole);
    pen.rect(...box);
    pen.fill("evenodd");
    if (box[0] > 0 || box[1] > 0 || box[0] + box[2] < width || box[1] + box[3] < height) {
      pen.strokeStyle = "rgba(255, 255, 255, 0.8)";
      pen.lineWidth = 1;
      pen.strokeRect(Math.round(box[0]) - 0.5, Math.round(box[1]) - 0.5, box[2] + 1, box[3] + 1);
    }
  }

  #drawPicture(raw: unknown, framing: Framing, seen: Rect, detail: Detail | null, screen: Extent): void {
    const { pixels: size } = framing;
    if (raw !== this.#raw || size[0] !== this.#pixels?.width || size[1] !== this.#pixels.height) {
      this.#raw = raw;
      this.#pixels = pixelsOf(raw, size);
      this.#state = [];
    }
    const pixels = this.#pixels;
    const { picture } = framing;
    const fine = detail?.pieces.some((one) => one.loaded.tile.picture) ? detail : null;
    const grid = fine?.size ?? size;
    const step = fine ? stepFor(picture, grid, seen, screen.width, MOST) : 1;
    const part = pixelsSeen(picture, grid, seen, step);
    this.#surface.place(picture, grid, part, seen, screen.width);
    if (pixels && fine) {
      this.#state = [];
      const coarse = new Uint32Array(pixels.data.buffer);
      this.#surface.paint(part, fine.pieces, [pixels, ...grid], (one, out) =>
        gather(out, one, fine, coarse, size, ({ loaded }) => coloursOf(loaded)),
      );
      return;
    }
    const state = [pixels, part.top, part.left, part.across, part.down];
    if (same(state, this.#state)) return;
    this.#state = state;
    if (pixels) this.#surface.pen(part.across, part.down)?.putImageData(pixels, -part.left, -part.top);
    else this.element.width = part.across;
  }
}

const colours = new WeakMap<LoadedTile, Uint32Array>();

/** A part of the picture at full resolution as a canvas stores it. */
function coloursOf(loaded: LoadedTile): Uint32Array | null {
  const { picture } = loaded.tile;
  if (!picture) return null;
  const known = colours.get(loaded) ?? packed(picture);
  colours.set(loaded, known);
  return known;
}

/** The picture as a canvas stores it; null where its bytes do not fit its size. */
function pixelsOf(raw: unknown, [width, height]: readonly [number, number]): ImageData | null {
  const bytes = toBytes(raw);
  if (bytes?.length !== 3 * width * height) return null;
  const data = new ImageData(width, height);
  new Uint32Array(data.data.buffer).set(packed(bytes));
  return data;
}

function packed(rgb: Uint8Array): Uint32Array {
  const found = new Uint32Array(rgb.length / 3);
  for (let i = 0, j = 0; i < found.length; i++, j += 3) {
    found[i] = (255 << 24) | (rgb[j + 2]! << 16) | (rgb[j + 1]! << 8) | rgb[j]!;
  }
  return found;
}
