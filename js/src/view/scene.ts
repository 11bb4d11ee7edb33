import { type Table, tableFor } from "../map/colour";
import { isCoarse } from "../map/enlarge";
import type { Field, Kept } from "../map/field";
import type { Header, Info } from "../map/header";
import type { Labels } from "../map/labels";
import type { Sign } from "../map/reduce";
import type { Loaded } from "../state/maps";
import type { Store } from "../state/store";
import type { Look, Viewport } from "../state/traits";
import type { Want } from "../state/want";
import { type Notice, noticeOf } from "./notice";
import { carried, type Place } from "./place";
import { type Names, namesOf } from "./words";

/** A map on display with everything that is drawn or said of it. */
export interface Drawn {
  readonly header: Header;
  readonly info: Info;
  readonly names: Names;
  readonly loaded: Loaded;
  readonly field: Field;
  /** The picture's width and height in pixels. */
  readonly size: readonly [number, number];
  /** The picture's bytes. */
  readonly image: unknown;
  /** Whether the map's grid is coarser than the picture: it has cells, then, and not pixels. */
  readonly coarse: boolean;
  /** The magnitude at the end of the colours. */
  readonly level: number;
  readonly kept: Kept;
  readonly table: Table;
}

/** A map beside the one that is shown. */
export interface Panel {
  readonly want: Want;
  readonly drawn: Drawn | null;
  /** Why there is no map; null where there is one, or will be. */
  readonly trouble: string | null;
}

/** What one frame shows. */
export interface Scene {
  readonly store: Store;
  readonly info: Info;
  readonly labels: Labels;
  readonly look: Look;
  readonly sign: Sign;
  readonly reduction: string;
  readonly clip: number;
  readonly threshold: number;
  /** Of the map over the photograph, whatever the trait says where only one of them is looked at. */
  readonly opacity: number;
  readonly image: unknown;
  /** The picture's width and height in pixels. */
  readonly size: readonly [number, number];
  readonly viewport: Viewport;
  readonly drawn: Drawn | null;
  readonly panels: readonly Panel[];
  readonly notice: Notice;
}

/** Reads the store; `last` is what this view showed before, and stays where its choice cannot be shown. */
export function sceneOf(store: Store, last: Drawn | null): Scene {
  const { traits } = store;
  const { look, sign, reduction, clip, threshold, viewport } = traits;
  const loaded = wholeMap(store, last);
  const own = loaded && drawnOf(store, loaded);
  const beside = traits.panels.map((want): Panel => {
    const header = store.held(want);
    const map = header && store.load(header);
    return { want, drawn: map && drawnOf(store, map), trouble: store.troubleWith(want) };
  });
  const level = levelOf(store, [own, ...beside.map((panel) => panel.drawn)]);
  const drawn = own && scaled(own, level);
  const panels = beside.map((panel) => ({ ...panel, drawn: panel.drawn && scaled(panel.drawn, level) }));
  const info = drawn?.info ?? store.info;
  return {
    store,
    info,
    labels: traits.labels(info),
    look,
    sign,
    reduction,
    clip,
    threshold,
    opacity: look === "map" ? 1 : look === "image" ? 0 : traits.opacity,
    image: drawn?.image ?? traits.image(info),
    size: drawn?.size ?? [info.width || 1, info.height || 1],
    viewport,
    drawn,
    panels,
    notice: noticeOf(store, drawn),
  };
}

function drawnOf(store: Store, loaded: Loaded): Drawn {
  const { header } = loaded;
  const { traits } = store;
  const { sign, reduction, clip, threshold, colormap } = traits;
  const info = traits.info(header.model, header.image);
  const size = [info.width || header.shape[2], info.height || header.shape[1]] as const;
  const field = store.maps.field(loaded, sign, reduction);
  return {
    header,
    info,
    names: namesOf(header, traits.labels(info)),
    loaded,
    field,
    size,
    image: traits.image(info),
    coarse: isCoarse(field, ...size),
    level: field.level(clip),
    kept: field.keep(threshold),
    table: tableFor(sign, colormap || undefined),
  };
}

/** The end of the colours that all panels share; null where each has its own. */
function levelOf({ traits }: Store, all: readonly (Drawn | null)[]): number | null {
  if (traits.scale === "own") return null;
  if (traits.scale === "locked" && traits.level > 0) return traits.level;
  const shared = Math.max(0, ...all.map((drawn) => drawn?.level ?? 0));
  return shared > 0 ? shared : null;
}

/** A map of zeros has no scale, and gets none from others. */
function scaled(drawn: Drawn, level: number | null): Drawn {
  return level === null || drawn.level === 0 ? drawn : { ...drawn, level };
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
export function positionIn({ field: { width, height } }: Drawn, size: Scene["size"], place: Place): number {
  const { row, column } = carried(place, size, [width, height]);
  return row * width + column;
}

/** The picture's pixel in the middle of the strongest pixel, or cell. */
export function strongestPlace({ field }: Drawn, size: Scene["size"]): Place | null {
  return field.strongest === null ? null : placeOf(field, field.strongest, size);
}

/** The picture's pixel in the middle of a map's pixel, or cell. */
export function placeOf({ width, height }: Field, at: number, size: Scene["size"]): Place {
  return carried({ row: Math.floor(at / width), column: at % width }, [width, height], size);
}

/** How much of the picture's colour the map's colours take the place of, 0 to 1. */
export function covering({ drawn, opacity }: Scene): number {
  return drawn && !drawn.field.zero && drawn.kept.count > 0 ? opacity : 0;
}
