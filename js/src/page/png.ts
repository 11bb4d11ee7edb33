import { inflate } from "./inflate";

const SIGNATURE = 8;

/**
 * The numbers of a PNG file of 8-bit red, green and blue: exactly those that were written, which a canvas does not promise.
 * Rows are filtered as in the PNG specification, section 9.
 */
export async function readPng(file: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let width = 0;
  let height = 0;
  for (let at = SIGNATURE; at + 8 <= file.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const data = file.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
    } else if (kind === "IDAT") parts.push(data);
    at += 12 + length;
  }
  return unfilter(await inflate(new Blob(parts)), 3 * width, height);
}

function unfilter(raw: Uint8Array, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (width + 1)];
    const from = y * (width + 1) + 1;
    const to = y * width;
    for (let x = 0; x < width; x++) {
      const left = x < 3 ? 0 : out[to + x - 3]!;
      const up = y === 0 ? 0 : out[to + x - width]!;
      const corner = x < 3 || y === 0 ? 0 : out[to + x - width - 3]!;
      const guess = [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter ?? 0]!;
      out[to + x] = raw[from + x]! + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((one) => Math.abs(guess - one)) as [number, number, number];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
