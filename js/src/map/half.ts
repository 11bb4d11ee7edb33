let table: Float64Array | null = null;

/** The number that 16 bits mean as an IEEE 754 half. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function halves(): Float64Array {
  if (table) return table;
  table = new Float64Array(65536);
  for (let bits = 0; bits < 65536; bits++) table[bits] = halfToNumber(bits);
  return table;
}

/**
 * A map as it travelled: `count` little-endian halves times `scale`, multiplied in double precision and rounded once
 * to float32; null where the bytes do not hold as many.
 */
export function decodeHalf(bytes: Uint8Array, count: number, scale: number): Float32Array | null {
  if (bytes.byteLength !== 2 * count) return null;
  const known = halves();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = known[view.getUint16(2 * i, true)]! * scale;
  return values;
}
