let table: Float32Array | null = null;

/** The number that 16 bits mean as an IEEE 754 half. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The numbers by their bits; a float holds each exactly. */
function halves(): Float32Array {
  if (table) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) table[bits] = halfToNumber(bits);
  return table;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * A map as it travelled: `count` little-endian halves times `scale`, multiplied in double precision and rounded once
 * to float32; null where the bytes do not hold as many.
 */
export function decodeHalf(bytes: Uint8Array, count: number, scale: number): Float32Array | null {
  if (bytes.byteLength !== 2 * count) return null;
  const known = halves();
  const values = new Float32Array(count);
  if (LITTLE_ENDIAN) {
    // An array of 16-bit numbers cannot begin at an odd place of a buffer; a copy can be anywhere.
    const { buffer, byteOffset } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
    const halves = new Uint16Array(buffer, byteOffset, count);
    for (let i = 0; i < count; i++) values[i] = known[halves[i]!]! * scale;
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < count; i++) values[i] = known[view.getUint16(2 * i, true)]! * scale;
  }
  return values;
}
