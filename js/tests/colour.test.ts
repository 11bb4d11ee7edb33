import { describe, expect, it } from "vitest";
import raw from "../../saliency_widget/display/colours.json";
import { colourise, DEFAULT_TABLE, entries, entry, heat, tableFor, tableNames } from "../src/map/colour";
import { SIGNS } from "../src/map/reduce";

const linear = (byte: number) => (byte <= 10 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);

function lightness([r, g, b]: number[]): number {
  const [R, G, B] = [linear(r!), linear(g!), linear(b!)];
  const l = Math.cbrt(0.4122214708 * R + 0.5363325363 * G + 0.0514459929 * B);
  const m = Math.cbrt(0.2119034982 * R + 0.6806995451 * G + 0.1073969566 * B);
  const s = Math.cbrt(0.0883024619 * R + 0.2817188376 * G + 0.6299787005 * B);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}

const at = (rgb: Uint8Array, i: number) => [...rgb.subarray(3 * i, 3 * i + 3)];

describe("tables", () => {
  it("have 256 and 257 entries", () => {
    for (const name of Object.keys(raw.sequential)) expect(tableFor("absolute", name).rgb).toHaveLength(768);
    for (const name of Object.keys(raw.diverging)) expect(tableFor("signed", name).rgb).toHaveLength(771);
  });

  it.each(Object.keys(raw.diverging))("%s is neutral at zero and equally light on both sides", (name) => {
    const { rgb } = tableFor("signed", name);
    const neutral = at(rgb, 128);
    expect(new Set(neutral).size).toBe(1);
    for (let i = 1; i <= 128; i++) {
      expect(Math.abs(lightness(at(rgb, 128 - i)) - lightness(at(rgb, 128 + i)))).toBeLessThan(0.02);
    }
    expect(at(rgb, 0)[2]! > at(rgb, 0)[0]!).toBe(true);
    expect(at(rgb, 256)[0]! > at(rgb, 256)[2]!).toBe(true);
  });

  it("are offered with the default first, and say which are not uniform", () => {
    for (const sign of SIGNS) expect(tableNames(sign)[0]!.name).toBe(DEFAULT_TABLE[sign]);
    const uneven = tableNames("negative").filter(({ uniform }) => !uniform);
    expect(uneven.map(({ name }) => name)).toEqual(["hot", "jet"]);
    expect(tableNames("signed").every(({ uniform }) => uniform)).toBe(true);
  });

  it("fall back to the default for an unknown name", () => {
    expect(tableFor("negative", "blue-orange").name).toBe("inferno");
    expect(tableFor("positive", "hot")).toBe(tableFor("absolute", "hot"));
    expect(tableFor("signed", "").name).toBe(DEFAULT_TABLE.signed);
    expect(tableFor("signed", "no such").name).toBe(DEFAULT_TABLE.signed);
    expect(tableFor("absolute", "toString").name).toBe(DEFAULT_TABLE.absolute);
  });
});

describe("heat and entry", () => {
  it("clamps, pins zero, and never divides by zero", () => {
    expect(heat(3, 2)).toBe(1);
    expect(heat(-3, 2)).toBe(-1);
    expect(heat(5, 0)).toBe(0);
    expect(heat(Number.NaN, 0)).toBeNaN();
    expect(entry(0, 1, "signed")).toBe(128);
    expect(entry(-1, 1, "signed")).toBe(0);
    expect(entry(9, 1, "signed")).toBe(256);
    expect(entry(1, 1, "absolute")).toBe(255);
    expect(entry(0, 1, "absolute")).toBe(0);
    expect(entry(1, 1, "positive")).toBe(255);
    expect(entry(-1, 1, "negative")).toBe(255);
    expect(entry(-0.5, 1, "negative")).toBe(entry(0.5, 1, "positive"));
    expect(entry(-9, 1, "negative")).toBe(255);
    expect(entry(-9, 0, "negative")).toBe(0);
  });

  it("are the same in one pass", () => {
    const level = Math.fround(0.37);
    // Each border between two entries, and its neighbours among the floats.
    const borders = Array.from({ length: 1026 }, (_, i) => Math.fround(((i - 513) / 510) * level));
    const values = Float32Array.from(
      borders.flatMap((v) => [v, v * (1 + 2 ** -23), v * (1 - 2 ** -23), -v, v * 1e6, v * 1e-30]),
    );
    for (const sign of SIGNS) {
      for (const top of [level, 0, 1e-38, 3e38]) {
        const out = new Uint16Array(values.length);
        entries(values, top, sign, out);
        expect([...out]).toEqual([...values].map((value) => entry(value, top, sign)));
      }
    }
  });

  it("shows what has no number in grey", () => {
    expect([...colourise(Float32Array.of(Number.NaN), 1, "signed")]).toEqual([128, 128, 128]);
  });
});
