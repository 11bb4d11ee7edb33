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

/** Bits of a float as an unsigned integer with the same order. */
function sortable(bits: number): number {
  return (bits & 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
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
