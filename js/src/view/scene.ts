import { type Table, tableFor } from "../map/colour";
import type { Field, Kept } from "../map/field";
import type { Header, Info } from "../map/header";
import type { Labels } from "../map/labels";
import type { Sign } from "../map/reduce";
import type { Loaded } from "../state/maps";
import type { Store } from "../state/store";
import { type Notice, noticeOf } from "./notice";

/** A map on display with everything that is drawn or said of it. */
export interface Drawn {
  readonly header: Header;
  readonly loaded: Loaded;
  readonly field: Field;
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
  readonly drawn: Drawn | null;
  readonly notice: Notice;
}

/** Reads the store; `last` is what this view showed before, and stays where its choice cannot be shown. */
export function sceneOf(store: Store, last: Drawn | null): Scene {
  const { info, labels, sign, clip, threshold, opacity, image } = store;
  const drawn = drawnOf(store, last, sign, clip, threshold);
  const notice = noticeOf(store, drawn);
  return { store, info, labels, sign, clip, threshold, opacity, image, drawn, notice };
}

function drawnOf(
  store: Store,
  last: Drawn | null,
  sign: Sign,
  clip: number,
  threshold: number,
): Drawn | null {
  const loaded = wholeMap(store, last);
  if (!loaded) return null;
  const field = store.maps.field(loaded, sign);
  const level = field.level(clip);
  return { header: loaded.header, loaded, field, level, kept: field.keep(threshold), table: tableFor(sign) };
}

function wholeMap(store: Store, last: Drawn | null): Loaded | null {
  const { partial } = store;
  if (partial) return store.maps.load(partial.header, partial.bytes);
  const shown = store.header(store.shown);
  const loaded = shown && store.load(shown);
  if (loaded) return loaded;
  if (last) return last.loaded;
  for (const header of store.headers) {
    const first = store.load(header);
    if (first) return first;
  }
  return null;
}
