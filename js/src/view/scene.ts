import { type Table, tableFor } from "../map/colour";
import { isCoarse } from "../map/enlarge";
import type { Field, Kept } from "../map/field";
import type { Header, Info } from "../map/header";
import type { Labels } from "../map/labels";
import type { Sign } from "../map/reduce";
import type { Loaded } from "../state/maps";
import type { Store } from "../state/store";
import { type Notice, noticeOf } from "./notice";
import type { Place } from "./place";
import { type Names, namesOf } from "./words";

/** A map on display with everything that is drawn or said of it. */
export interface Drawn {
  readonly header: Header;
  readonly names: Names;
  readonly loaded: Loaded;
  readonly field: Field;
  /** Whether the map's grid is coarser than the picture: it has cells, then, and not pixels. */
  readonly coarse: boolean;
  readonly level: number;
  readonly kept: Kept;
  readonly table: Table;
}

/** What one frame shows. */
export interface Scene {
  readonly store: Store;
  readonly info: Info;
  readonly labels: Labels;
  readonly sign: Sign;
  readonly clip: number;
  readonly threshold: number;
  readonly opacity: number;
  readonly image: unknown;
  /** The picture's width and height in pixels. */
  readonly size: readonly [number, number];
  readonly drawn: Drawn | null;
  readonly notice: Notice;
}

/** Reads the store; `last` is what this view showed before, and stays where its choice cannot be shown. */
export function sceneOf(store: Store, last: Drawn | null): Scene {
  const { info, labels, sign, clip, threshold, opacity, image } = store.traits;
  const loaded = wholeMap(store, last);
  const size = [
    info.width || loaded?.header.shape[2] || 1,
    info.height || loaded?.header.shape[1] || 1,
  ] as const;
  let drawn: Drawn | null = null;
  if (loaded) {
    const { header } = loaded;
    const field = store.maps.field(loaded, sign);
    drawn = {
      header,
      names: namesOf(header, labels),
      loaded,
      field,
      coarse: isCoarse(field, ...size),
      level: field.level(clip),
      kept: field.keep(threshold),
      table: tableFor(sign),
    };
  }
  const notice = noticeOf(store, drawn);
  return { store, info, labels, sign, clip, threshold, opacity, image, size, drawn, notice };
}

function wholeMap(store: Store, last: Drawn | null): Loaded | null {
  const { partial, traits } = store;
  if (partial) return store.maps.load(partial.header, partial.bytes);
  const shown = traits.header(traits.shown);
  const loaded = shown && store.load(shown);
  if (loaded) return loaded;
  if (last) return last.loaded;
  for (const header of traits.headers) {
    const first = store.load(header);
    if (first) return first;
  }
  return null;
}

/** The map's pixel, or cell, at a place of the picture. */
export function positionIn({ field }: Drawn, [across, down]: Scene["size"], place: Place): number {
  const { width, height } = field;
  const row = Math.min(height - 1, Math.floor(((place.row + 0.5) * height) / down));
  return row * width + Math.min(width - 1, Math.floor(((place.column + 0.5) * width) / across));
}

/** The picture's pixel in the middle of the strongest pixel, or cell. */
export function strongestPlace({ field }: Drawn, [across, down]: Scene["size"]): Place | null {
  const at = field.strongest;
  if (at === null) return null;
  return {
    row: Math.floor(((Math.floor(at / field.width) + 0.5) * down) / field.height),
    column: Math.floor((((at % field.width) + 0.5) * across) / field.width),
  };
}

/** How much of the picture's colour the map's colours take the place of, 0 to 1. */
export function covering({ drawn, opacity }: Scene): number {
  return drawn && !drawn.field.zero && drawn.kept.count > 0 ? opacity : 0;
}
