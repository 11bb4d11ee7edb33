/** What a page keeps of a map instead of its channels: their sum, and the largest of their magnitudes. */
export type Plane = "signed" | "absolute";

const MISSING = { signed: -128, absolute: 255 };

/** How a page keeps the planes of a map, or its channels where it names no planes. */
export interface Kept {
  readonly shape: readonly [number, number, number];
  readonly planes: readonly Plane[];
  readonly scale: number;
  readonly absoluteScale: number;
}

/** 8-bit numbers times what one is worth, by plane; that of the channels is "signed". null where there are not as many. */
export function decodeKept(bytes: Uint8Array, { shape, planes, scale, absoluteScale }: Kept) {
  const [channels, height, width] = shape;
  const found: Partial<Record<Plane, Float32Array>> = {};
  let at = 0;
  for (const plane of planes.length > 0 ? planes : (["signed"] as const)) {
    const magnitudes = plane === "absolute";
    const count = (magnitudes ? 1 : channels) * height * width;
    const end = at + count;
    if (end > bytes.length) return null;
    const part = bytes.subarray(at, end);
    const codes = magnitudes ? part : new Int8Array(part.buffer, part.byteOffset, count);
    const worth = magnitudes ? absoluteScale : scale;
    found[plane] = Float32Array.from(codes, (code) => (code === MISSING[plane] ? Number.NaN : code * worth));
    at = end;
  }
  return at === bytes.length ? found : null;
}
