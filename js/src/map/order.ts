import { SLICE } from "./steps";

/** The finite values in ascending order. Three passes of 11 bits: more, and the caches are too small for the ends. */
export function* sortSteps(values: Float32Array): Generator<void, Float32Array> {
  const total = values.length;
  const bits = new Uint32Array(values.buffer, values.byteOffset, total);
  const digits = [0, 1, 2].map(() => new Uint32Array(2048)) as [Uint32Array, Uint32Array, Uint32Array];
  let keys = new Uint32Array(total);
  let finite = 0;
  for (let from = 0; from < total; from += SLICE) {
    finite = takeFinite(bits, from, Math.min(total, from + SLICE), keys, finite, digits);
    yield;
  }
  let other = new Uint32Array(finite);
  for (const [pass, starts] of digits.entries()) {
    startsOf(starts);
    for (let from = 0; from < finite; from += SLICE) {
      scatter(keys, from, Math.min(finite, from + SLICE), 11 * pass, starts, other);
      yield;
    }
    [keys, other] = [other, keys];
  }
  for (let from = 0; from < finite; from += SLICE) {
    const to = Math.min(finite, from + SLICE);
    for (let k = from; k < to; k++) keys[k] = fromSortable(keys[k]!);
    yield;
  }
  return new Float32Array(keys.buffer, 0, finite);
}

function takeFinite(
  bits: Uint32Array,
  from: number,
  to: number,
  keys: Uint32Array,
  taken: number,
  [low, middle, high]: readonly [Uint32Array, Uint32Array, Uint32Array],
): number {
  for (let i = from; i < to; i++) {
    const value = bits[i]!;
    if ((value & EXPONENT) === EXPONENT) continue;
    const key = sortable(value);
    keys[taken++] = key;
    low[key & 2047]!++;
    middle[(key >>> 11) & 2047]!++;
    high[key >>> 22]!++;
  }
  return taken;
}

function scatter(
  keys: Uint32Array,
  from: number,
  to: number,
  shift: number,
  places: Uint32Array,
  out: Uint32Array,
): void {
  for (let k = from; k < to; k++) {
    const key = keys[k]!;
    out[places[(key >>> shift) & 2047]!++] = key;
  }
}

/** The finite values' positions in ascending order; equal values in order of position. Two passes of 16 bits. */
export function argsort(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const total = values.length;
  const low = new Uint32Array(65536);
  const high = new Uint32Array(65536);
  let finite = 0;
  for (let i = 0; i < total; i++) {
    if (!Number.isFinite(values[i]!)) continue;
    const key = sortable(bits[i]!);
    low[key & 0xffff]!++;
    high[key >>> 16]!++;
    finite++;
  }
  startsOf(low);
  startsOf(high);
  const half = new Uint32Array(finite);
  for (let i = 0; i < total; i++) {
    if (Number.isFinite(values[i]!)) half[low[sortable(bits[i]!) & 0xffff]!++] = i;
  }
  const order = new Uint32Array(finite);
  for (let k = 0; k < finite; k++) {
    const i = half[k]!;
    order[high[sortable(bits[i]!) >>> 16]!++] = i;
  }
  return order;
}

/** Where all bits of it are set, a float is infinite or not a number. */
const EXPONENT = 0x7f800000;

/** Bits of a float as an unsigned integer with the same order. */
export function sortable(bits: number): number {
  return (bits ^ ((bits >> 31) | 0x80000000)) >>> 0;
}

function fromSortable(key: number): number {
  return key ^ ((~key >> 31) | 0x80000000);
}

function startsOf(counts: Uint32Array): void {
  let start = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    counts[i] = start;
    start += count;
  }
}

/** How many entries of an ascending array are below `value`. */
export function countBelow(ascending: Float32Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many entries of an ascending array are at most `value`. */
export function countUpTo(ascending: Float32Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
