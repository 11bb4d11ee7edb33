import { describe, expect, it } from "vitest";
import { pack, random, toHalf } from "../dev/fake";
import { toBytes } from "../src/map/bytes";
import { decodeHalf, halfToNumber } from "../src/map/half";

describe("bytes", () => {
  const plain = Uint8Array.of(1, 2, 250, 0, 9);
  const inside = Uint8Array.of(77, 77, 77, ...plain, 77);

  it.each([
    ["Uint8Array", plain],
    ["Uint8Array with an offset", inside.subarray(3, 8)],
    ["DataView with an offset", new DataView(inside.buffer, 3, 5)],
    ["ArrayBuffer", plain.buffer],
    ["base64", btoa(String.fromCharCode(...plain))],
  ])("reads a %s", (_, raw) => {
    expect(toBytes(raw)).toEqual(plain);
  });

  it.each([[null], [undefined], [17], [{}], [[1, 2]], ["not base64 §"]])("takes %s for nothing", (raw) => {
    expect(toBytes(raw)).toBeNull();
  });
});

describe("halves", () => {
  it.each([
    [0x0000, 0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
    [0xfe01, Number.NaN],
    [0x8000, -0],
    [0x7800, 32768],
  ])("%i", (bits, value) => {
    expect(halfToNumber(bits)).toBe(value);
  });

  it("come back from every finite pattern", () => {
    const wrong = Array.from({ length: 65536 }, (_, bits) => bits).filter((bits) => {
      const value = halfToNumber(bits);
      return Number.isFinite(value) && toHalf(value) !== bits;
    });
    expect(wrong).toEqual([]);
  });

  it("decode at an odd offset, and are as precise as promised", () => {
    const draw = random(3);
    const values = Float32Array.from({ length: 999 }, () => (draw() - 0.5) ** 7);
    const { bytes, scale } = pack(values);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const decoded = decodeHalf(shifted.subarray(1), 999, scale)!;
    const largest = Math.max(...values.map(Math.abs));
    decoded.forEach((v, i) => {
      expect(Math.abs(v - values[i]!)).toBeLessThanOrEqual(
        Math.abs(values[i]!) * 2 ** -11 + largest * 2 ** -39,
      );
    });
    expect(decodeHalf(bytes, 998, scale)).toBeNull();
  });

  it("of a zero map are zero", () => {
    expect([...decodeHalf(new Uint8Array(8), 4, 0)!]).toEqual([0, 0, 0, 0]);
  });
});
