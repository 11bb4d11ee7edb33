import { toBytes } from "../map/bytes";
import { Field } from "../map/field";
import { decodeHalf } from "../map/half";
import type { Header } from "../map/header";
import { decodeKept } from "../map/kept";
import { Lru } from "../map/lru";
import type { Sign } from "../map/reduce";

/** A decoded map. */
export interface Loaded {
  readonly header: Header;
  readonly values: Float32Array;
  /** The largest magnitudes of the channels, where they are kept apart. */
  readonly magnitudes?: Float32Array | undefined;
}

interface Held<V> {
  readonly raw: unknown;
  readonly scale: number;
  readonly value: V;
}

/** Decoded and sorted maps, made when they are first looked at. One whose bytes were replaced is made anew. */
export class MapCache {
  readonly #decoded = new Lru<Held<Loaded | null>>(24_000_000);
  readonly #sorted = new Lru<Held<Field>>(6_000_000);

  /** null where the bytes are missing or do not fit the header. */
  load(header: Header, raw: unknown): Loaded | null {
    const key = `${header.key} ${header.shape}`;
    const held = this.#decoded.get(key);
    if (held && held.raw === raw && held.scale === header.scale) {
      return held.value && { ...held.value, header };
    }
    const [channels, height, width] = header.shape;
    const count = channels * height * width;
    const value = decoded(header, toBytes(raw), count);
    this.#decoded.set(key, { raw, scale: header.scale, value }, value ? count : 1);
    return value;
  }

  field(loaded: Loaded, sign: Sign, reduction = "default"): Field {
    const { header } = loaded;
    const values = (sign === "absolute" && loaded.magnitudes) || loaded.values;
    const key = `${header.key} ${header.shape} ${sign} ${reduction}`;
    const held = this.#sorted.get(key);
    if (held && held.raw === values) return held.value;
    const value = Field.from(values, header.shape, sign, reduction);
    this.#sorted.set(key, { raw: values, scale: header.scale, value }, value.values.length);
    return value;
  }
}

function decoded(header: Header, bytes: Uint8Array | null, count: number): Loaded | null {
  if (!bytes) return null;
  if (header.dtype === "float16") {
    const values = decodeHalf(bytes, count, header.scale);
    return values && { header, values };
  }
  const planes = decodeKept(bytes, header);
  const values = planes?.signed ?? planes?.absolute;
  return values ? { header, values, magnitudes: planes?.absolute } : null;
}
