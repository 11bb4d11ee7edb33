import { toBytes } from "../map/bytes";
import { paintEnlarged } from "../map/enlarge";
import { paint } from "../map/paint";
import { Cross } from "./cross";
import { make, setAttribute } from "./dom";
import { type Place, shapeOf } from "./place";
import { covering, type Drawn, type Scene } from "./scene";

/** The photograph, the map over it and the crosshair, each on a canvas of its own. */
export class Stage {
  readonly element = make("div", { class: "stage", role: "img", "aria-label": "No map yet" });
  readonly #photo = make("canvas", { "data-layer": "photo" });
  readonly #map = make("canvas", { "data-layer": "map" });
  readonly #cross = new Cross();
  #image: unknown = undefined;
  #painted: { drawn: Drawn; data: ImageData } | null = null;
  #size: Scene["size"] = [1, 1];
  #place: Place | null = null;
  #drawn: Drawn | null = null;

  constructor(signal: AbortSignal, hovered: (place: Place) => void) {
    this.element.append(this.#photo, this.#map, this.#cross.element);
    const point = (event: PointerEvent) => {
      const place = this.#placeAt(event.clientX, event.clientY);
      if (place) hovered(place);
    };
    this.element.addEventListener("pointermove", point, { signal });
    this.element.addEventListener("pointerdown", point, { signal });
  }

  /** What was drawn may be lost when a notebook takes a view off the page and puts it back. */
  forget(): void {
    this.#image = undefined;
    this.#painted = null;
  }

  update(scene: Scene, place: Place): void {
    const { drawn } = scene;
    this.#drawn = drawn;
    this.#resize(scene.size);
    this.#drawPhoto(scene.image);
    this.#drawMap(drawn);
    // Colours of the photograph could be taken for colours of the map, so they fade as the map comes in.
    this.#photo.style.filter = `grayscale(${Math.min(1, 5 * covering(scene))})`;
    this.#map.style.opacity = String(scene.opacity);
    setAttribute(this.element, "data-old", scene.notice.old);
    this.drawCross(place);
  }

  describe(words: string): void {
    setAttribute(this.element, "aria-label", words);
  }

  drawCross(place: Place | null = this.#place): void {
    this.#place = place;
    const drawn = this.#drawn;
    this.#cross.draw(place, this.#size, drawn?.coarse ? [drawn.field.width, drawn.field.height] : null);
  }

  /** Sharp pixels where they are enlarged; averaged where several share a point of the screen. */
  fit(): void {
    const shown = this.element.clientWidth * (window.devicePixelRatio || 1);
    for (const canvas of [this.#photo, this.#map]) {
      canvas.style.imageRendering = shown >= canvas.width ? "pixelated" : "auto";
    }
    this.drawCross();
  }

  #placeAt(x: number, y: number): Place | null {
    const box = this.element.getBoundingClientRect();
    if (!(box.width > 0 && box.height > 0)) return null;
    const [width, height] = this.#size;
    const column = Math.floor(((x - box.left) * width) / box.width);
    const row = Math.floor(((y - box.top) * height) / box.height);
    return {
      column: Math.max(0, Math.min(width - 1, column)),
      row: Math.max(0, Math.min(height - 1, row)),
    };
  }

  #resize(size: Scene["size"]): void {
    if (size.join() === this.#size.join()) return;
    this.#size = size;
    const { width, height } = shapeOf(size);
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.width = `min(100%, ${Math.round(width)}px)`;
    this.#image = undefined;
  }

  #drawPhoto(raw: unknown): void {
    if (raw === this.#image) return;
    this.#image = raw;
    const bytes = toBytes(raw);
    const [width, height] = this.#size;
    const pixels = width * height;
    if (!bytes || bytes.length !== 3 * pixels) {
      this.#photo.width = width;
      return;
    }
    const data = new ImageData(width, height);
    for (let i = 0, j = 0; i < 4 * pixels; i += 4, j += 3) {
      data.data[i] = bytes[j]!;
      data.data[i + 1] = bytes[j + 1]!;
      data.data[i + 2] = bytes[j + 2]!;
      data.data[i + 3] = 255;
    }
    put(this.#photo, data);
    this.fit();
  }

  #drawMap(drawn: Drawn | null): void {
    if (!drawn) return;
    const { field, level, kept, table, coarse } = drawn;
    const before = this.#painted;
    const [width, height] = coarse ? this.#size : [field.width, field.height];
    const fits = before?.data.width === width && before.data.height === height;
    if (
      fits &&
      before.drawn.field === field &&
      before.drawn.level === level &&
      before.drawn.kept.cut === kept.cut &&
      before.drawn.table === table
    ) {
      return;
    }
    const data = fits ? before.data : new ImageData(width, height);
    const out = new Uint32Array(data.data.buffer);
    // A map without any score in it has no colours: the photograph and a sentence stand for it.
    const cut = field.zero ? Number.POSITIVE_INFINITY : kept.cut;
    if (coarse) paintEnlarged(field, [width, height], level, cut, table, out);
    else paint(field, level, cut, table, out);
    put(this.#map, data);
    this.#painted = { drawn, data };
    if (!fits) this.fit();
  }
}

function put(canvas: HTMLCanvasElement, data: ImageData): void {
  if (canvas.width !== data.width) canvas.width = data.width;
  if (canvas.height !== data.height) canvas.height = data.height;
  canvas.getContext("2d")?.putImageData(data, 0, 0);
}
