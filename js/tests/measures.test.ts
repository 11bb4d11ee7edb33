import { describe, expect, it } from "vitest";
import { gradientMap, random } from "../dev/fake";
import { agreement } from "../src/map/agree";
import { Field } from "../src/map/field";
import { histogram } from "../src/map/histogram";
import { strongestPlaces } from "../src/map/places";

function noise(width: number, height: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length: width * height }, () => draw() - draw());
}

describe("histogram", () => {
  const values = Float32Array.of(-4, -1, 0, 1, 2, Number.NaN);
  const signed = new Field("signed", 6, 1, values);
  const absolute = new Field("absolute", 6, 1, values.map(Math.abs));
  const negative = new Field(
    "negative",
    6,
    1,
    values.map((v) => Math.min(v, 0)),
  );

  it("counts up to an end, and what lies beyond it in the bin there", () => {
    expect([...histogram(absolute, 4).counts]).toEqual([1, 2, 1, 1]);
    expect([...histogram(signed, 4).counts]).toEqual([1, 1, 2, 1]);
    expect([...histogram(absolute, 2, 1.5).counts]).toEqual([1, 4]);
    expect([...histogram(signed, 3, 1.5).counts]).toEqual([2, 1, 2]);
    expect([...histogram(negative, 4).counts]).toEqual([3, 1, 0, 1]);
    expect(histogram(signed, 4)).toMatchObject({ start: -4, end: 4 });
    expect(histogram(negative, 4)).toMatchObject({ start: 0, end: 4 });
  });

  it("has a place for a map that is zero, or has no number", () => {
    expect([...histogram(new Field("signed", 3, 1, new Float32Array(3)), 5).counts]).toEqual([0, 0, 3, 0, 0]);
    expect([...histogram(new Field("absolute", 3, 1, new Float32Array(3)), 2).counts]).toEqual([3, 0]);
    expect([...histogram(signed, 3, 0).counts]).toEqual([2, 1, 2]);
    expect([...histogram(signed, 1, 0).counts]).toEqual([5]);
    const nothing = new Field("signed", 2, 1, new Float32Array(2).fill(Number.NaN));
    expect([...histogram(nothing, 3).counts]).toEqual([0, 0, 0]);
  });
});

describe("agreement", () => {
  const a = noise(30, 20, 1);
  const of = (values: Float32Array, width = 30) => new Field("signed", width, values.length / width, values);

  it("of a map with itself is whole, whatever the sign and the scale", () => {
    for (const other of [a, a.map((v) => -v), a.map((v) => v * v * v)]) {
      const found = agreement(of(a), of(other));
      expect(found.spearman).toBeCloseTo(1, 12);
      expect(found.overlap).toBe(1);
    }
  });

  it("is the same with what does not count left out", () => {
    const b = noise(30, 20, 2);
    const hidden = a.map((v, i) => (i % 30 < 10 ? Number.NaN : v));
    const rest = (values: Float32Array) => values.filter((_, i) => i % 30 >= 10);
    expect(agreement(of(hidden), of(b))).toEqual(agreement(of(rest(a), 20), of(rest(b), 20)));
    // Ranks that are held for one partner are not taken for another.
    expect(agreement(of(a), of(b)).spearman).toBe(agreement(of(b), of(a)).spearman);
  });

  it("meets on the finer grid, and holds nothing of another one", () => {
    const coarse = of(noise(4, 3, 3), 4);
    const fine = noise(31, 23, 4);
    const cells = Float32Array.from(fine, (_, i) => {
      const row = Math.floor(((Math.floor(i / 31) + 0.5) * 3) / 23);
      return coarse.values[row * 4 + Math.floor((((i % 31) + 0.5) * 4) / 31)]!;
    });
    const expected = agreement(of(cells, 31), of(fine, 31));
    expect(agreement(coarse, of(fine, 31))).toEqual(expected);
    agreement(coarse, of(a));
    expect(agreement(of(fine, 31), coarse)).toEqual(expected);
  });

  it("is undefined with a map that is the same everywhere", () => {
    for (const value of [0, 2, Number.NaN]) {
      const found = agreement(of(new Float32Array(600).fill(value)), of(a));
      expect(found).toEqual({ spearman: null, overlap: null });
    }
  });
});

describe("strongestPlaces", () => {
  it("names each bright spot once, the strongest first", () => {
    const values = new Float32Array(50 * 40);
    values[10 * 50 + 10] = -9;
    values[10 * 50 + 11] = 8;
    values[14 * 50 + 10] = 7;
    values[15 * 50 + 10] = 6;
    values[30 * 50 + 40] = 5;
    const field = new Field("signed", 50, 40, values);
    expect(strongestPlaces(field, 5)).toEqual([10 * 50 + 10, 15 * 50 + 10, 30 * 50 + 40]);
    expect(strongestPlaces(field, 1)).toEqual([field.strongest]);
  });

  it("names nothing in a map without anything", () => {
    expect(strongestPlaces(new Field("signed", 3, 1, new Float32Array(3)), 5)).toEqual([]);
    expect(strongestPlaces(new Field("absolute", 3, 1, new Float32Array(3).fill(Number.NaN)), 5)).toEqual([]);
  });

  it("keeps its distance", () => {
    const field = Field.from(gradientMap([1, 60, 90], 3), [1, 60, 90], "negative");
    const found = strongestPlaces(field, 5);
    expect(found).toHaveLength(5);
    for (const [k, at] of found.entries()) {
      for (const other of found.slice(0, k)) {
        const distance = Math.hypot((at % 90) - (other % 90), Math.floor(at / 90) - Math.floor(other / 90));
        expect(distance).toBeGreaterThanOrEqual(9);
      }
    }
    const magnitudes = found.map((at) => Math.abs(field.values[at]!));
    expect(magnitudes).toEqual([...magnitudes].sort((x, y) => y - x));
  });
});
