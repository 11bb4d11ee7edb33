import type { Area } from "../map/paint";
import { reduceChannels } from "../map/reduce";
import type { LoadedTile } from "../state/tiles";
import type { Framing } from "./framing";
import { finePlace, type Place } from "./place";
import type { Drawn, Scene } from "./scene";
import { pixelsSeen, type Rect } from "./viewport";

/** The side of a part of a map that is asked for, in pixels of the whole. */
const SIDE = 512;
/** Parts are worth asking for where a pixel of what travelled is so large, in pixels of the screen. */
const WORTH = 1.5;

/** A part of the map at its full resolution, reduced to one number a pixel; the same object while it stays the same. */
export interface Piece extends Area {
  readonly values: Float32Array;
  readonly loaded: LoadedTile;
}

/** What is known of a map at its full resolution where it is looked at. */
export interface Detail {
  /** Width and height of the whole at full resolution. */
  readonly size: readonly [number, number];
  readonly pieces: readonly Piece[];
  /** Whether all that is seen is here. */
  readonly whole: boolean;
}

/** The full resolution of what is seen, asked for where it is not here; null where it would show nothing more. */
export function detailOf(
  scene: Scene,
  drawn: Drawn,
  { picture }: Framing,
  seen: Rect,
  screen: number,
): Detail | null {
  const { header, field } = drawn;
  const from = header.reducedFrom;
  if (!from || header.slot === null || !(screen > 0)) return null;
  if ((screen * picture.width) / seen.width / field.width < WORTH) return null;
  const size = [from[1], from[0]] as const;
  const part = pixelsSeen(picture, size, seen);
  const wanted: Area[] = [];
  for (let top = SIDE * Math.floor(part.top / SIDE); top < part.top + part.height; top += SIDE) {
    for (let left = SIDE * Math.floor(part.left / SIDE); left < part.left + part.width; left += SIDE) {
      const height = Math.min(SIDE, size[1] - top);
      const width = Math.min(SIDE, size[0] - left);
      wanted.push({ top, left, height, width });
    }
  }
  // What is in the middle is looked at first.
  const x = part.left + part.width / 2;
  const y = part.top + part.height / 2;
  const far = ({ top, left, height, width }: Area) => Math.hypot(left + width / 2 - x, top + height / 2 - y);
  wanted.sort((a, b) => far(a) - far(b));
  const pieces = wanted.flatMap((area): Piece[] => {
    const { top, left, height, width } = area;
    const loaded = scene.store.tiles.get(header.key, top, left, height, width);
    const fits = loaded?.tile.height === height && loaded.tile.width === width;
    return fits ? [pieceOf(loaded, area, scene)] : [];
  });
  return pieces.length > 0 ? { size, pieces, whole: pieces.length === wanted.length } : null;
}

const known = new WeakMap<LoadedTile, { sign: string; reduction: string; piece: Piece }>();

function pieceOf(loaded: LoadedTile, area: Area, { sign, reduction }: Scene): Piece {
  const held = known.get(loaded);
  if (held?.sign === sign && held.reduction === reduction) return held.piece;
  const values = reduceChannels(loaded.values, loaded.tile.channels, sign, reduction);
  const piece = { ...area, values, loaded };
  known.set(loaded, { sign, reduction, piece });
  return piece;
}

/** One pixel of a map at its full resolution. */
export interface Fine {
  readonly row: number;
  readonly column: number;
  /** As the map is looked at: one number for all channels. */
  readonly value: number;
  readonly channels: readonly number[];
  /** The picture's colour there, where it came along. */
  readonly rgb: readonly [number, number, number] | null;
}

/** What a map has at a place at its full resolution; null where that is not here. */
export function fineAt(detail: Detail | null, place: Place, size: Scene["size"]): Fine | null {
  if (!detail) return null;
  const { row, column } = finePlace(place, size, detail.size);
  const piece = detail.pieces.find(
    (one) =>
      row >= one.top && row < one.top + one.height && column >= one.left && column < one.left + one.width,
  );
  if (!piece) return null;
  const { tile, values } = piece.loaded;
  const i = (row - piece.top) * piece.width + column - piece.left;
  const area = piece.height * piece.width;
  const channels = Array.from({ length: tile.channels }, (_, c) => values[c * area + i]!);
  const p = tile.picture;
  const rgb = p ? ([p[3 * i]!, p[3 * i + 1]!, p[3 * i + 2]!] as const) : null;
  return { row, column, value: piece.values[i]!, channels, rgb };
}
