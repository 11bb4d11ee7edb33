import { describe, expect, it } from "vitest";
import { gradientMap, random } from "../dev/fake";
import { tableFor } from "../src/map/colour";
import { Field } from "../src/map/field";
import { argsort } from "../src/map/order";
import { paint } from "../src/map/paint";
import { REDUCTIONS, reduceChannels, reductionFor, SIGNS } from "../src/map/reduce";
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
  it("takes the strongest of the channels with its sign", () => {
    expect([...reduceChannels(three, 3, "signed", "max")]).toEqual([-3, -2, nan, nan, 1]);
    expect([...reduceChannels(three, 3, "negative", "max")]).toEqual([-3, -2, nan, nan, 0]);
  });
  it("takes one channel, and misses the pixels that another lacks", () => {
    expect([...reduceChannels(three, 3, "signed", "0")]).toEqual([1, -2, nan, nan, 1]);
    expect([...reduceChannels(three, 3, "positive", "0")]).toEqual([1, 0, nan, nan, 1]);
    expect([...reduceChannels(three, 3, "absolute", "0")]).toEqual([1, 2, nan, nan, 1]);
  });
  it("takes the default where a map has no such channel, or the choice is unknown", () => {
    expect(reductionFor("2", 1, "absolute")).toBe("max");
    for (const wrong of ["3", "-1", "1.5", "median", "", "0x1", "99999999"]) {
      expect(reductionFor(wrong, 3, "signed")).toBe("sum");
    }
    expect(reductionFor("2", 3, "signed")).toBe(2);
  });
  it("splits the signed map in two", () => {
    const values = noise(3 * 9000, 3);
    for (const how of ["default", ...REDUCTIONS, "0", "1", "2"]) {
      const [signed, positive, negative] = (["signed", "positive", "negative"] as const).map((sign) =>
        reduceChannels(values, 3, sign, how),
      );
      expect(signed!.every((v, i) => v === positive![i]! + negative![i]!)).toBe(true);
      expect(positive!.every((v, i) => v >= 0 && negative![i]! <= 0)).toBe(true);
      expect([signed!, positive!, negative!].some((map) => map.some((v) => Object.is(v, -0)))).toBe(false);
    }
  });
  it("measures length, with the sign of the sum", () => {
    const values = Float32Array.of(3, -3, 1, 4, -4, -1);
    expect([...reduceChannels(values, 2, "absolute", "l2")]).toEqual([5, 5, Math.fround(Math.SQRT2)]);
    expect([...reduceChannels(values, 2, "signed", "l2")]).toEqual([5, -5, 0]);
  });
  it("adds in double precision and never makes a negative zero", () => {
    expect(reduceChannels(Float32Array.of(1e8, 1, -1e8), 3, "signed")[0]).toBe(1);
    expect(Object.is(reduceChannels(Float32Array.of(-0, -0), 2, "signed")[0], 0)).toBe(true);
  });
});

describe.each(MAPS)("%s", (_, values, width) => {
  const reduced = SIGNS.map((sign) => [sign, reduceChannels(values, 1, sign)] as const);
  describe.each(reduced)("%s", (sign, map) => {
    const field = new Field(sign, width, map.length / width, map);

    it("is in order, and each finite pixel is there once", () => {
      const order = argsort(map);
      expect(order.every((at, k) => k === 0 || map[order[k - 1]!]! <= map[at]!)).toBe(true);
      expect(new Set(order).size).toBe(map.filter(Number.isFinite).length);
      expect([...field.sorted]).toEqual([...order].map((at) => map[at]!));
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

    it("has bins that fit the table, in order, and each pixel lies in its own", () => {
      const { count, firsts, lasts, index } = field.bins;
      expect(count).toBeLessThanOrEqual(65535);
      for (let bin = 1; bin < count; bin++) expect(lasts[bin - 1]! < firsts[bin]!).toBe(true);
      const inside = (value: number, bin: number) =>
        Number.isFinite(value) ? firsts[bin]! <= value && value <= lasts[bin]! : bin === count;
      expect(map.every((value, i) => inside(value, index[i]!))).toBe(true);
      expect(firsts.every((first, bin) => Math.sign(first) === Math.sign(lasts[bin]!))).toBe(true);
    });

    it("knows the magnitude at each place of the order", () => {
      const sorted = reference.magnitudes(map);
      for (let k = 0; k < sorted.length; k += Math.ceil(sorted.length / 50)) {
        expect(field.magnitude(k)).toBe(sorted[k]);
      }
      expect(field.largest).toBe(sorted.at(-1) ?? 0);
    });

    it("turns a magnitude back into the clip and the threshold that stand for it", () => {
      const sorted = reference.magnitudes(map);
      let clip = 0;
      let percent = 100;
      for (let k = 0; k < sorted.length; k += Math.ceil(sorted.length / 31)) {
        const magnitude = sorted[k]!;
        if (magnitude > 0) expect(field.level(field.clipOf(magnitude))).toBe(magnitude);
        expect(field.keep(field.percentOf(magnitude)).cut).toBe(magnitude);
        // Between two magnitudes: the level is the one below, the cut the one above.
        const above = sorted.find((value) => value > magnitude);
        const between = magnitude + ((above ?? 2 * magnitude + 1) - magnitude) / 2;
        if (magnitude > 0) expect(field.level(field.clipOf(between))).toBe(magnitude);
        expect(field.keep(field.percentOf(between)).cut).toBe(above ?? Number.POSITIVE_INFINITY);
        expect(field.clipOf(magnitude)).toBeGreaterThanOrEqual(clip);
        expect(field.percentOf(magnitude)).toBeLessThanOrEqual(percent);
        clip = field.clipOf(magnitude);
        percent = field.percentOf(magnitude);
        expect(clip > 0 && clip <= 100 && percent >= 0 && percent <= 100).toBe(true);
      }
      expect(field.percentOf(Number.POSITIVE_INFINITY)).toBe(0);
      expect(field.clipOf(Number.POSITIVE_INFINITY)).toBe(100);
    });
  });
});

describe("Field", () => {
  it("knows a zero map and the strongest pixel", () => {
    expect(new Field("signed", 2, 1, Float32Array.of(0, 0)).zero).toBe(true);
    expect(new Field("signed", 2, 1, Float32Array.of(0, 0)).strongest).toBeNull();
    expect(new Field("signed", 3, 1, Float32Array.of(1, -4, 2)).strongest).toBe(1);
  });

  it("names the first of equals the strongest", () => {
    expect(new Field("signed", 4, 1, Float32Array.of(1, -4, 4, 2)).strongest).toBe(1);
    expect(new Field("negative", 3, 1, Float32Array.of(0, -1, -3)).strongest).toBe(2);
  });

  it("gives the time back between its steps, and comes to the same", () => {
    const values = gradientMap([3, 1100, 1000], 1);
    const steps = Field.steps(values, [3, 1100, 1000], "signed", "l2");
    let step = steps.next();
    let pauses = 0;
    for (; !step.done; step = steps.next()) pauses++;
    expect(pauses).toBeGreaterThan(8);
    const at = Field.from(values, [3, 1100, 1000], "signed", "l2");
    expect(step.value.keep(5)).toEqual(at.keep(5));
    expect(step.value.level(99)).toBe(at.level(99));
  });

  it("calls what only zeros are hidden of the whole, exactly", () => {
    const values = noise(5000, 12, (v, i) => (i % 3 ? v : 0));
    const field = new Field("signed", 50, 100, reduceChannels(values, 1, "signed"));
    expect(field.keep(100).mass).toBe(1);
    const kept = field.keep((100 * values.filter((v) => v !== 0).length) / 5000);
    expect(kept.count).toBeLessThan(5000);
    expect(kept.mass).toBe(1);
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
