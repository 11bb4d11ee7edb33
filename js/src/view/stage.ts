import { toBytes } from "../map/bytes";
import type { Store } from "../state/store";
import { blended, type Mix, mapAt, photoAt, type Rgb } from "./blend";
import { makeCross } from "./cross";
import { type Detail, detailOf, type Fine, fineAt } from "./detail";
import { make, setAttribute } from "./dom";
import { type Framing, framingOf, middleIn, placeIn } from "./framing";
import { followGestures } from "./gestures";
import { makeLoupe } from "./loupe";
import { MapLayer } from "./maplayer";
import { makeMarks } from "./marks";
import { makeNumbers, ROOM, type Written } from "./numbers";
import { isPeeking } from "./peek";
import { PhotoLayer } from "./photolayer";
import { carried, type Place, shapeOf } from "./place";
import { covering, type Drawn, type Scene } from "./scene";
import { short } from "./short";
import { type Extent, type Point, pixelsSeen, placedIn, type Rect, seenBy } from "./viewport";

/** What a stage shows now. */
interface Shown {
  readonly scene: Scene;
  readonly framing: Framing;
  readonly seen: Rect;
  readonly detail: Detail | null;
  readonly mix: Mix;
  /** Whether cells are shown as cells. */
  readonly native: boolean;
}

/** The photograph, the map over it, numbers and the crosshair, each on a canvas of its own. */
export function makeStage(
  store: Store,
  hovered: (place: Place) => void,
  drew: (from: Place, to: Place, done: boolean) => void = () => {},
) {
  const element = make("div.stage", { role: "img", "aria-label": "No map yet" });
  const photo = new PhotoLayer();
  const map = new MapLayer();
  const numbers = makeNumbers();
  const loupe = makeLoupe();
  const cross = makeCross();
  let extent: Extent = { width: 0, height: 0 };
  let shapedAs = "";
  let crosshair: Place = { row: 0, column: 0 };
  let current: Shown | null = null;
  const layers = make("div.layers");
  layers.append(photo.element, map.element, numbers.element);
  const marks = makeMarks();
  element.append(layers, marks.element, cross.element, loupe.element);
  const at = (point: Point) => {
    const place = current && placeIn(current.framing, point);
    // Around what the model saw there is nothing to choose.
    setAttribute(element, "data-outside", !place);
    if (place) hovered(place);
  };
  followGestures(element, store, at, (from, to, done) => {
    const [a, b] = [from, to].map((point) => current && placeIn(current.framing, point));
    if (a && b) drew(a, b, done);
  });

  function turnLoupe(on: boolean): void {
    loupe.turn(on);
    drawMarks();
  }

  /** What was drawn may be lost when a notebook takes a view off the page and puts it back. */
  function forget(): void {
    photo.forget();
    map.forget();
  }

  function update(scene: Scene, place: Place): void {
    const { drawn, info, size, store } = scene;
    const framing = framingOf(store, info, size);
    resize(framing);
    const seen = seenBy(scene.viewport);
    const screen = extent;
    const native = drawn?.coarse === true && store.traits.cells;
    const detail = drawn && detailOf(scene, drawn, framing, seen, screen.width);
    const peeking = isPeeking(store);
    const covered = covering(scene);
    // Colours of the photograph could be taken for colours of the map, so they fade as the map comes in.
    const grey = peeking || !store.traits.greyPhoto ? 0 : Math.min(1, 5 * covered);
    const mix: Mix = {
      grey,
      opacity: peeking ? 0 : scene.opacity,
      photo: peeking || scene.look !== "map" || covered === 0,
    };
    current = { scene, framing, seen, detail, mix, native };
    photo.update(scene.image, framing, seen, detail, screen);
    map.update(drawn, native, framing, seen, detail, screen);
    photo.element.style.filter = grey > 0 ? `grayscale(${grey})` : "none";
    photo.element.style.opacity = mix.photo ? "1" : "0";
    map.element.style.opacity = String(mix.opacity);
    setAttribute(element, "data-old", scene.notice.old);
    setAttribute(element, "data-zoom", scene.viewport.zoom);
    setAttribute(element, "data-peek", peeking);
    writeNumbers(current);
    marks.update(scene, framing, seen);
    drawCross(place);
  }

  function describe(words: string): void {
    setAttribute(element, "aria-label", words);
  }

  function drawCross(place: Place = crosshair): void {
    crosshair = place;
    drawMarks();
  }

  /** The size on the page may have changed, or that of the screen's pixels; whether it has. */
  function fit(): boolean {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = element;
    cross.fit(clientWidth, clientHeight);
    const screen = { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio) };
    const changed = screen.width !== extent.width || screen.height !== extent.height;
    extent = screen;
    drawMarks();
    return changed;
  }

  /** The map at its full resolution at a place; null where that is not on display. */
  function fineHere(place: Place): Fine | null {
    return current && fineAt(current.detail, place, current.scene.size);
  }

  function drawMarks(): void {
    const shown = current;
    if (!shown) return;
    const { scene, framing, seen, detail } = shown;
    const { drawn } = scene;
    const [width, height] = scene.size;
    const pins = scene.store.traits.pins.filter((pin) => pin.row < height && pin.column < width);
    const cells = drawn?.coarse ? ([drawn.field.width, drawn.field.height] as const) : null;
    // What is read is marked: where the full resolution is here, a pixel of that.
    const fine = fineHere(crosshair);
    const place = fine ?? crosshair;
    const pixels = fine && detail ? detail.size : scene.size;
    const own = { ...framing, pixels };
    cross.draw({ place, own, pins, grid: cells, framing, seen });
    if (!loupe.on) return;
    const at = middleIn(own, place);
    const row = (at.row - seen.top) / seen.height;
    const column = (at.column - seen.left) / seen.width;
    const bytes = toBytes(scene.image);
    loupe.draw(pixels, place, { row, column }, (y, x) => {
      const { photo, packed } = seenAt(shown, bytes, pixels, y, x);
      return blended(photo, packed, shown.mix);
    });
  }

  function writeNumbers(shown: Shown): void {
    const { scene, framing, seen, detail, mix, native } = shown;
    const { drawn } = scene;
    const ratio = window.devicePixelRatio || 1;
    const grid = gridOf(scene, drawn, detail, native, mix);
    const { picture } = framing;
    const w = ((extent.width / ratio) * picture.width) / seen.width / grid[0];
    const h = ((extent.height / ratio) * picture.height) / seen.height / grid[1];
    // Between the centres of cells there are colours but no values.
    const smooth = drawn?.coarse === true && !native && mix.opacity > 0;
    if (!(Math.min(w, h) >= ROOM) || smooth) {
      numbers.clear();
      return;
    }
    const part = pixelsSeen(picture, grid, seen);
    const bytes = toBytes(scene.image);
    const boxes: { at: Rect; written: Written }[] = [];
    for (let y = part.top; y < part.top + part.down; y++) {
      for (let x = part.left; x < part.left + part.across; x++) {
        const at = placedIn(picture, grid, { top: y, left: x, height: 1, width: 1 }, seen);
        const written = writtenAt(shown, bytes, grid, y, x);
        if (written) boxes.push({ at, written });
      }
    }
    numbers.draw(boxes, extent, ratio);
  }

  function resize({ size }: Framing): void {
    const shape = size.join();
    if (shape === shapedAs) return;
    shapedAs = shape;
    const { width, height } = shapeOf(size);
    element.style.aspectRatio = `${width} / ${height}`;
    element.style.width = `min(100%, ${Math.round(width)}px)`;
  }

  return {
    element,
    get loupe() {
      return loupe.on;
    },
    /** The full resolution of the map where it is on display, and what of it is not here yet. */
    get detail() {
      return current?.detail ?? null;
    },
    turnLoupe,
    forget,
    update,
    describe,
    drawCross,
    point: marks.point,
    fit,
    fineAt: fineHere,
  };
}

export type Stage = ReturnType<typeof makeStage>;

/** What is seen at a pixel of a grid over the picture. */
function seenAt(
  { scene, native, detail }: Shown,
  bytes: Uint8Array | null,
  grid: readonly [number, number],
  row: number,
  column: number,
): { fine: Fine | null; photo: Rgb | null; packed: number } {
  const { drawn, size } = scene;
  const exact = { row: (row + 0.5) / grid[1], column: (column + 0.5) / grid[0] };
  const place = { ...carried({ row, column }, grid, size), exact };
  const fine = fineAt(detail, place, size);
  return {
    fine,
    photo: fine?.rgb ?? photoAt(bytes, size, place),
    packed: drawn ? mapAt(drawn, size, place, native, fine?.value) : 0,
  };
}

/** Columns and rows of what numbers are written of. */
function gridOf(
  { size }: Scene,
  drawn: Drawn | null,
  detail: Detail | null,
  native: boolean,
  { opacity }: Mix,
): readonly [number, number] {
  if (detail) return detail.size;
  return drawn && opacity > 0 && (native || !drawn.coarse) ? [drawn.field.width, drawn.field.height] : size;
}

function writtenAt(
  shown: Shown,
  bytes: Uint8Array | null,
  grid: readonly [number, number],
  row: number,
  column: number,
) {
  const { scene, mix, detail } = shown;
  const { drawn } = scene;
  const { photo, fine, packed } = seenAt(shown, bytes, grid, row, column);
  if (!drawn || mix.opacity === 0) {
    return photo && { lines: photo.map(String), on: photo };
  }
  // A pixel of what travelled stands for several: its number is none of theirs.
  if (detail && !fine) return null;
  const value = fine ? fine.value : (drawn.field.values[row * grid[0] + column] ?? Number.NaN);
  return { lines: [short(value, scene.sign === "signed")], on: blended(photo, packed, mix) };
}
