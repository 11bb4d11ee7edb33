import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fromBase64 } from "../src/map/bytes";
import { colourise, tableFor } from "../src/map/colour";
import { enlarge } from "../src/map/enlarge";
import { Field } from "../src/map/field";
import { decodeHalf } from "../src/map/half";
import { paint } from "../src/map/paint";

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
  enlarged?: { height: number; width: number; values: (number | null)[] };
}

const folder = fileURLToPath(new URL("../../tests/golden/", import.meta.url));
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
const cases = files.flatMap((name) => {
  const held = JSON.parse(readFileSync(folder + name, "utf8")) as { cases?: Case[] };
  return held.cases ?? [];
});

describe.skipIf(files.length === 0)("golden files", () => {
  it("hold something", () => {
    expect(cases.length).toBeGreaterThan(0);
  });

  for (const golden of cases) {
    const [channels, height, width] = golden.shape;
    const count = channels * height * width;
    const values = decodeHalf(fromBase64(golden.half)!, count, golden.scale)!;
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
    for (const sign of ["absolute", "signed"] as const) {
      describe(`${golden.name}, ${sign}`, () => {
        const field = Field.from(values, golden.shape, sign);

        it("reduced", () => {
          const found = Array.from(field.values, (v) => (Number.isNaN(v) ? null : v + 0));
          expect(found).toEqual(golden.reduced[sign]!.map((v) => (v === null ? null : Math.fround(v) + 0)));
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
