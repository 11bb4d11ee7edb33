import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { agreement } from "../src/map/agree";
import { fromBase64 } from "../src/map/bytes";
import { colourise, tableFor, tableNames } from "../src/map/colour";
import { enlarge } from "../src/map/enlarge";
import { Field } from "../src/map/field";
import { decodeHalf } from "../src/map/half";
import { histogram } from "../src/map/histogram";
import { decodeKept, type Plane } from "../src/map/kept";
import { paint } from "../src/map/paint";
import { reduceChannels, SIGNS, type Sign } from "../src/map/reduce";

interface Keep {
  percent: number;
  cut: number | null;
  count: number;
  mass: number | null;
  pixels?: number[];
}

interface Case {
  name: string;
  shape: [number, number, number];
  half: string;
  scale: number;
  reduced: Record<string, (number | null)[]>;
  level: Record<string, Record<string, number>>;
  keep: Record<string, Keep[]>;
  rank: Record<string, [number, number, number?][]>;
  colour: Record<string, string>;
  /** Little-endian floats. */
  reductions: Record<string, Record<string, string>>;
  histogram: Record<
    string,
    { bins: number; level: number | null; start: number; end: number; counts: number[] }[]
  >;
  /** What a page holds of it. */
  kept?: {
    keep: string;
    data: string;
    dtype: string;
    shape: [number, number, number];
    planes: Plane[];
    scale: number;
    absolute_scale: number;
    /** Little-endian floats by plane. */
    read: Partial<Record<Plane, string>>;
  }[];
  enlarged?: { height: number; width: number; values: (number | null)[] };
}

const folder = fileURLToPath(new URL("../../tests/golden/", import.meta.url));
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
interface Pair {
  first: string;
  second: string;
  sign: Sign;
  spearman: number | null;
  overlap: number | null;
}

interface Golden {
  cases?: Case[];
  pairs?: Pair[];
  tables?: Record<Sign, { name: string; uniform: boolean; rgb: string }[]>;
}

const held = files.map((name) => JSON.parse(readFileSync(folder + name, "utf8")) as Golden);
const cases = held.flatMap((golden) => golden.cases ?? []);
const pairs = held.flatMap((golden) => golden.pairs ?? []);

const valuesOf = ({ shape: [channels, height, width], half, scale }: Case) =>
  decodeHalf(fromBase64(half)!, channels * height * width, scale)!;

describe.skipIf(files.length === 0)("golden files", () => {
  it("hold something", () => {
    expect(cases.length).toBeGreaterThan(0);
    expect(pairs.length).toBeGreaterThan(0);
  });

  it("offer the same colour tables", () => {
    for (const sign of SIGNS) {
      const tables = held.flatMap((golden) => golden.tables?.[sign] ?? []);
      expect(tableNames(sign)).toEqual(tables.map(({ name, uniform }) => ({ name, uniform })));
      for (const { name, rgb } of tables) expect(tableFor(sign, name).rgb).toEqual(fromBase64(rgb));
    }
  });

  it("agree on how much maps agree", () => {
    const fields = new Map<string, Field>();
    const field = (name: string, sign: Sign) => {
      const golden = cases.find((one) => one.name === name)!;
      const made = fields.get(name + sign) ?? Field.from(valuesOf(golden), golden.shape, sign);
      fields.set(name + sign, made);
      return made;
    };
    for (const { first, second, sign, spearman, overlap } of pairs) {
      const found = agreement(field(first, sign), field(second, sign));
      expect(found.overlap, `${first}, ${second}`).toBe(overlap);
      if (spearman === null) expect(found.spearman).toBeNull();
      else expect(found.spearman, `${first}, ${second}`).toBeCloseTo(spearman, 12);
    }
    expect(pairs.some(({ spearman }) => spearman === null)).toBe(true);
  });

  for (const golden of cases) {
    const [channels, height, width] = golden.shape;
    const values = valuesOf(golden);
    const large = golden.enlarged;
    if (large) {
      it(`${golden.name}, at the size of a picture`, () => {
        const field = Field.from(values, golden.shape, "signed");
        const found = enlarge(field, large.width, large.height);
        large.values.forEach((value, i) => {
          // A pixel whose own cell has no number is drawn by neither.
          if (value !== null) expect(found[i]).toBeCloseTo(value, 5);
        });
        expect(large.values.filter((value) => value !== null).length).toBeGreaterThan(0);
      });
    }
    for (const { keep, data, dtype, shape, planes, scale, absolute_scale, read } of golden.kept ?? []) {
      it(`${golden.name}, as a page keeps it: ${keep}`, () => {
        expect(dtype).toBe("int8");
        const found = decodeKept(fromBase64(data)!, { shape, planes, scale, absoluteScale: absolute_scale })!;
        expect(Object.keys(found)).toEqual(Object.keys(read));
        for (const [plane, values] of Object.entries(read)) {
          const expected = new Float32Array(fromBase64(values)!.buffer);
          expect([...found[plane as Plane]!], plane).toEqual([...expected]);
        }
      });
    }
    for (const sign of SIGNS) {
      describe(`${golden.name}, ${sign}`, () => {
        const field = Field.from(values, golden.shape, sign);

        it("reduced", () => {
          const found = Array.from(field.values, (v) => (Number.isNaN(v) ? null : v + 0));
          expect(found).toEqual(golden.reduced[sign]!.map((v) => (v === null ? null : Math.fround(v) + 0)));
        });

        it("reduced in every other way", () => {
          const ways = Object.entries(golden.reductions[sign]!);
          expect(ways.length).toBe(5);
          for (const [reduction, expected] of ways) {
            const bytes = fromBase64(expected)!;
            const found = reduceChannels(values, channels, sign, reduction);
            expect([...found], reduction).toEqual([...new Float32Array(bytes.slice().buffer)]);
          }
        });

        it("histogram", () => {
          for (const { bins, level, start, end, counts } of golden.histogram[sign]!) {
            const found = histogram(field, bins, level ?? undefined);
            expect({ ...found, counts: [...found.counts] }).toEqual({ start, end, counts });
          }
        });

        it("level", () => {
          for (const [clip, level] of Object.entries(golden.level[sign]!)) {
            expect(field.level(Number(clip))).toBe(Math.fround(level));
          }
        });

        it("keep", () => {
          for (const expected of golden.keep[sign]!) {
            const kept = field.keep(expected.percent);
            expect(kept.cut).toBe(
              expected.cut === null ? Number.POSITIVE_INFINITY : Math.fround(expected.cut),
            );
            expect(kept.count).toBe(expected.count);
            if (expected.mass === null) expect(kept.mass).toBeNull();
            else expect(kept.mass).toBeCloseTo(expected.mass, 6);
            const out = new Uint32Array(height * width);
            paint(field, field.level(99), kept.cut, tableFor(sign), out);
            const pixels = [...out.keys()].filter((i) => out[i] !== 0);
            if (expected.pixels) expect(pixels).toEqual(expected.pixels);
          }
        });

        it("rank", () => {
          for (const [at, rank, percentile] of golden.rank[sign]!) {
            expect(field.rank(at)!.rank).toBe(rank);
            if (percentile !== undefined) expect(field.rank(at)!.percentile).toBeCloseTo(percentile, 9);
          }
        });

        it("colour", () => {
          const expected = fromBase64(golden.colour[sign]!)!;
          expect([...colourise(field.values, field.level(99), sign)]).toEqual([...expected]);
        });
      });
    }
  }
});
