import { toBytes } from "../map/bytes";
import { paint } from "../map/paint";
import { make, setAttribute } from "./dom";
import type { Drawn, Scene } from "./scene";

const LONGEST = 448;

export interface Place {
  readonly row: number;
  readonly column: number;
}

/** The photograph, the map over it and the crosshair, each on a canvas of its own. */
export class Stage {
  readonly element = make("div", { class: "stage", role: "img", "aria-label": "No map yet" });
  readonly #photo = make("canvas", { "data-layer": "photo" });
  readonly #map = make("canvas", { "data-layer": "map" });
  readonly #cross = make("canvas", { "data-layer": "cross" });
  #image: unknown = undefined;
  #painted: { drawn: Drawn; data: ImageData } | null = null;
  #width = 1;
  #height = 1;
  #place: Place | null = null;

  constructor(signal: AbortSignal, hovered: (place: Place) => void) {
    this.element.append(this.#photo, this.#map, this.#cross);
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
    const { info, drawn } = scene;
    this.#resize(info.width || drawn?.header.shape[2] || 1, info.height || drawn?.header.shape[1] || 1);
    this.#drawPhoto(scene.image);
    this.#drawMap(drawn);
    const covered = drawn && !drawn.field.zero && drawn.kept.count > 0 ? scene.opacity : 0;
    // Colours of the photograph could be taken for colours of the map, so they fade as the map comes in.
    this.#photo.style.filter = `grayscale(${Math.min(1, 5 * covered)})`;
    this.#map.style.opacity = String(scene.opacity);
    setAttribute(this.element, "data-old", scene.notice.old);
    this.drawCross(place);
  }

  describe(words: string): void {
    setAttribute(this.element, "aria-label", words);
  }

  drawCross(place: Place | null = this.#place): void {
    this.#place = place;
    const canvas = this.#cross;
    const { clientWidth, clientHeight } = this.element;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(clientWidth * ratio);
    const height = Math.round(clientHeight * ratio);
    if (width === 0 || height === 0) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.clearRect(0, 0, width, height);
    if (!place) return;
    const x = ((place.column + 0.5) * width) / this.#width;
    const y = ((place.row + 0.5) * height) / this.#height;
    const gap = Math.max(5 * ratio, width / this.#width);
    const reach = gap + 9 * ratio;
    // Light on dark, so that it is seen on any colour.
    for (const [colour, thick] of [
      ["rgba(0, 0, 0, 0.65)", 3 * ratio],
      ["rgb(255, 255, 255)", 1.25 * ratio],
    ] as const) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.beginPath();
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ] as const) {
        pen.moveTo(x + dx * gap, y + dy * gap);
        pen.lineTo(x + dx * reach, y + dy * reach);
      }
      pen.stroke();
    }
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
    const column = Math.floor(((x - box.left) * this.#width) / box.width);
    const row = Math.floor(((y - box.top) * this.#height) / box.height);
    return {
      column: Math.max(0, Math.min(this.#width - 1, column)),
      row: Math.max(0, Math.min(this.#height - 1, row)),
    };
  }

  #resize(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return;
    this.#width = width;
    this.#height = height;
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.width = `min(100%, ${Math.round(LONGEST * Math.min(1, width / height))}px)`;
    this.#image = undefined;
  }

  #drawPhoto(raw: unknown): void {
    if (raw === this.#image) return;
    this.#image = raw;
    const bytes = toBytes(raw);
    const pixels = this.#width * this.#height;
    if (!bytes || bytes.length !== 3 * pixels) {
      this.#photo.width = this.#width;
      return;
    }
    const data = new ImageData(this.#width, this.#height);
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
    const { field, level, kept, table } = drawn;
    const before = this.#painted;
    if (
      before?.drawn.field === field &&
      before.drawn.level === level &&
      before.drawn.kept.cut === kept.cut &&
      before.drawn.table === table
    ) {
      return;
    }
    const { width, height } = field;
    const fits = before?.data.width === width && before.data.height === height;
    const data = fits ? before.data : new ImageData(width, height);
    // A map without any score in it has no colours: the photograph and a sentence stand for it.
    const cut = field.zero ? Number.POSITIVE_INFINITY : kept.cut;
    paint(field, level, cut, table, new Uint32Array(data.data.buffer));
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
