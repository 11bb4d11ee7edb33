import { describe, expect, it } from "vitest";
import { gradientMap, random } from "../dev/fake";
import { tableFor } from "../src/map/colour";
import { Field } from "../src/map/field";
import { argsort } from "../src/map/order";
import { paint } from "../src/map/paint";
import { reduceChannels, type Sign } from "../src/map/reduce";
import * as reference from "./reference";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

function noise(n: number, seed: number, change: (v: number, i: number) => number = (v) => v): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length: n }, (_, i) => change((draw() - 0.5) / (0.01 + draw()), i));
}

const MAPS: [string, Float32Array, number][] = [
  ["heavy tails", noise(400, 1), 20],
  ["ties", noise(400, 2, (v) => Math.round(v)), 20],
  ["missing", noise(400, 3, (v, i) => (i % 7 ? v : [nan, inf, -inf][i % 3]!)), 20],
  ["zero", new Float32Array(400), 20],
  ["both zeros", noise(400, 4, (_, i) => (i % 2 ? 0 : -0)), 20],
  ["all negative", noise(400, 5, (v) => -Math.abs(v)), 20],
  ["nothing finite", new Float32Array(16).fill(nan), 4],
  ["one pixel", Float32Array.of(-3), 1],
  ["65,536 different", noise(65536, 6), 256],
  ["more than bins", noise(300 * 300, 7), 300],
  ["more than bins, heavy ties", noise(300 * 300, 8, (v, i) => (i % 3 ? Math.round(v * 3) : v)), 300],
  ["more than bins, half of it zero", noise(300 * 300, 9, (v, i) => (i % 2 ? v : 0)), 300],
  ["more than bins, one sign", noise(300 * 300, 10, (v) => Math.abs(v)), 300],
  ["more than bins, missing", noise(300 * 300, 11, (v, i) => (i % 50 ? v : nan)), 300],
];

describe("reduceChannels", () => {
  // Five pixels; each row is one channel.
  const rows = [
    [1, -2, nan, 0, 1],
    [-3, 2, 0, inf, 1],
    [2, -0, -inf, 0.5, 1],
  ];
  const three = Float32Array.from(rows.flat());
  it("takes the largest magnitude", () => {
    expect([...reduceChannels(three, 3, "absolute")]).toEqual([3, 2, nan, nan, 1]);
  });
  it("adds", () => {
    expect([...reduceChannels(three, 3, "signed")]).toEqual([0, 0, nan, nan, 3]);
  });
  it("keeps a missing number missing whichever channel has it", () => {
    for (let c = 0; c < 3; c++) {
      const values = Float32Array.of(1, 2, 3);
      values[c] = nan;
      expect(reduceChannels(values, 3, "absolute")[0]).toBeNaN();
    }
  });
  it("adds in double precision and never makes a negative zero", () => {
    expect(reduceChannels(Float32Array.of(1e8, 1, -1e8), 3, "signed")[0]).toBe(1);
    expect(Object.is(reduceChannels(Float32Array.of(-0, -0), 2, "signed")[0], 0)).toBe(true);
  });
});

describe.each(MAPS)("%s", (_, values, width) => {
  const reduced: [Sign, Float32Array][] = [
    ["signed", reduceChannels(values, 1, "signed")],
    ["absolute", reduceChannels(values, 1, "absolute")],
  ];
  describe.each(reduced)("%s", (sign, map) => {
    const field = new Field(sign, width, map.length / width, map);

    it("is in order, and each finite pixel is there once", () => {
      const order = argsort(map);
      expect(order.every((at, k) => k === 0 || map[order[k - 1]!]! <= map[at]!)).toBe(true);
      expect(new Set(order).size).toBe(map.filter(Number.isFinite).length);
    });

    it.each([0, 50, 99, 100])("has its level at %d", (clip) => {
      expect(field.level(clip)).toBe(reference.level(map, clip));
    });

    it.each([0, 0.1, 5, 33.3, 99.99, 100])("keeps exactly the definition's pixels at %d %%", (percent) => {
      const kept = field.keep(percent);
      const { cut, pixels } = reference.keep(map, percent);
      expect(kept.cut).toBe(cut);
      expect(kept.count).toBe(pixels.length);
      const sum = (of: number[]) => of.reduce((total, i) => total + Math.abs(map[i]!), 0);
      const total = sum([...map.keys()].filter((i) => Number.isFinite(map[i]!)));
      if (total > 0) expect(kept.mass).toBeCloseTo(sum(pixels) / total, 12);
      else expect(kept.mass).toBeNull();
      const out = new Uint32Array(map.length);
      const table = tableFor(sign);
      const level = field.level(99);
      paint(field, level, kept.cut, table, out);
      expect(
        Buffer.from(out.buffer).equals(Buffer.from(reference.pictureOf(map, sign, level, cut, table).buffer)),
      ).toBe(true);
    });

    it("ranks", () => {
      for (let k = 0; k < 12; k++) {
        const at = Math.floor((k * map.length) / 12);
        const found = field.rank(at);
        if (Number.isNaN(map[at]!)) expect(found).toBeNull();
        else expect(found).toEqual({ ...reference.rank(map, at), of: field.finite });
      }
    });

    it("has bins that fit the table", () => {
      expect(field.bins.count).toBeLessThanOrEqual(65535);
      expect(field.bins.starts[field.bins.count]).toBe(field.finite);
    });
  });
});

describe("Field", () => {
  it("knows a zero map and the strongest pixel", () => {
    expect(new Field("signed", 2, 1, Float32Array.of(0, 0)).zero).toBe(true);
    expect(new Field("signed", 2, 1, Float32Array.of(0, 0)).strongest).toBeNull();
    expect(new Field("signed", 3, 1, Float32Array.of(1, -4, 2)).strongest).toBe(1);
  });

  it("redraws a large map within a frame", () => {
    const field = Field.from(gradientMap([1, 1024, 1024], 1), [1, 1024, 1024], "signed");
    const out = new Uint32Array(1024 * 1024);
    const level = field.level(99);
    const times = Array.from({ length: 30 }, (_, i) => {
      const start = performance.now();
      paint(field, level, field.keep(1 + i).cut, tableFor("signed"), out);
      return performance.now() - start;
    }).sort((a, b) => a - b);
    // A frame has 16 ms; a machine that is busy with other things is given some room.
    expect(times[15]).toBeLessThan(25);
  });
});
