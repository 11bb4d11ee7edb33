import { toBytes } from "../map/bytes";
import type { Info } from "../map/header";
import type { Store } from "../state/store";

/** The decoded picture, or why there is none. */
export type Found = { readonly bitmap: ImageBitmap } | { readonly why: string };

const NEVER = "What the model was given has no original picture; this is what the model sees.";
const ABSENT = "This page does not hold the original picture; this is what the model sees.";
const COMING = "The original picture is on its way; this is what the model sees.";
const BROKEN = "The original picture cannot be decoded here; this is what the model sees.";

const decoded = new WeakMap<object, ImageBitmap | "decoding" | "broken">();

/** The picture before preprocessing; decoded once, and drawn when that is done. */
export function originalOf(store: Store, info: Info): Found {
  if (!info.original) return { why: NEVER };
  const raw = store.traits.original(info);
  const absent = { why: store.canAsk ? COMING : ABSENT };
  if (raw === undefined || raw === null || raw === "") return absent;
  // Base64 is a string and cannot be a key; a host that sends it sends the same list until it changes.
  const key = typeof raw === "object" && raw !== null ? raw : keyOf(store, raw);
  const known = decoded.get(key);
  if (known === "broken") return { why: BROKEN };
  if (known === "decoding") return { why: COMING };
  if (known) return { bitmap: known };
  const bytes = toBytes(raw);
  if (!bytes || bytes.length === 0) return absent;
  if (typeof createImageBitmap !== "function") return { why: BROKEN };
  decoded.set(key, "decoding");
  const end = (result: ImageBitmap | "broken") => {
    decoded.set(key, result);
    store.audience.tell();
  };
  createImageBitmap(new Blob([bytes.slice()])).then(end, () => end("broken"));
  return { why: COMING };
}

const strings = new WeakMap<Store, Map<unknown, object>>();

function keyOf(store: Store, raw: unknown): object {
  const known = strings.get(store) ?? new Map<unknown, object>();
  strings.set(store, known);
  const key = known.get(raw) ?? {};
  known.set(raw, key);
  return key;
}
