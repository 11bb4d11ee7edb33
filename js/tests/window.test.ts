import { describe, expect, it } from "vitest";
import { gradientMap, random } from "../dev/fake";
import { tableFor } from "../src/map/colour";
import { enlarge, paintEnlarged, paintSmooth } from "../src/map/enlarge";
import { Field } from "../src/map/field";
import {
  entriesOf,
  paint,
  paintedSize,
  paintValues,
  paintWindow,
  samples,
  type Window,
} from "../src/map/paint";
import { reduceChannels, SIGNS } from "../src/map/reduce";
import { pictureOf } from "./reference";

const WINDOWS: Window[] = [
  { top: 0, left: 0, height: 150, width: 140, step: 1 },
  { top: 17, left: 5, height: 40, width: 63, step: 1 },
  { top: 149, left: 139, height: 1, width: 1, step: 1 },
  { top: 0, left: 0, height: 150, width: 140, step: 3 },
  { top: 8, left: 12, height: 101, width: 77, step: 4 },
  { top: 3, left: 1, height: 5, width: 4, step: 50 },
];

/** The part of a whole picture that a window shows, pixel by pixel. */
function partOf(picture: Uint32Array, width: number, window: Window): number[] {
  const found: number[] = [];
  const { top, left, step } = window;
  for (let y = 0; y < window.height; y += step) {
    for (let x = 0; x < window.width; x += step) {
      const row = top + Math.min(window.height - 1, y + Math.floor(step / 2));
      found.push(picture[row * width + left + Math.min(window.width - 1, x + Math.floor(step / 2))]!);
    }
  }
  return found;
}

function painted(window: Window, how: (out: Uint32Array) => void): number[] {
  const [across, down] = paintedSize(window);
  const out = new Uint32Array(across * down).fill(7);
  how(out);
  return [...out];
}

describe("samples", () => {
  it("are the middles of the blocks, and inside", () => {
    expect([...samples(0, 9, 3)]).toEqual([1, 4, 7]);
    expect([...samples(10, 5, 4)]).toEqual([12, 14]);
    expect([...samples(4, 3, 1)]).toEqual([4, 5, 6]);
  });

  it("stand still while a window moves by whole blocks", () => {
    const before = samples(0, 400, 4);
    expect([...samples(40, 360, 4)]).toEqual([...before.slice(10)]);
  });
});

describe.each(SIGNS)("a window of a %s map", (sign) => {
  // More pixels than there are bins, so that some of them are mixed; and some without a number.
  const values = gradientMap([3, 150, 140], 5);
  for (let i = 0; i < 150 * 140; i += 101) values[i] = Number.NaN;
  const field = Field.from(values, [3, 150, 140], sign);
  const table = tableFor(sign);

  it.runIf(sign === "absolute" || sign === "signed")("has more values than bins", () => {
    expect(field.bins.count).toBeLessThan(new Set(field.sorted).size);
  });

  it.each(WINDOWS)("has the picture's own colours, %o", (window) => {
    for (const [clip, percent] of [
      [99, 100],
      [60, 20],
      [100, 0.5],
    ] as const) {
      const level = field.level(clip);
      const { cut } = field.keep(percent);
      const whole = pictureOf(field.values, sign, level, cut, table);
      const found = painted(window, (out) => paintWindow(field, window, level, cut, table, out));
      expect(found).toEqual(partOf(whole, 140, window));
    }
  });

  it("has the colours of a level and a cut that are not the map's own", () => {
    const level = field.level(99) * 1.7;
    const cut = field.level(50) * 1.01;
    const out = new Uint32Array(field.values.length);
    paint(field, level, cut, table, out);
    expect(out).toEqual(pictureOf(field.values, sign, level, cut, table));
  });

  it("is painted anew whatever was painted before", () => {
    const other = tableFor(sign, "no such");
    const out = new Uint32Array(field.values.length);
    for (const [level, cut] of [
      [1, 0],
      [1, 0.5],
      [0.002, 0.5],
      [0.002, 0.001],
    ] as const) {
      paint(field, level, cut, other, out);
      expect(out).toEqual(pictureOf(field.values, sign, level, cut, other));
    }
    const uneven = tableFor(sign, sign === "signed" ? "blue-white-orange" : "jet");
    paint(field, 0.002, 0.001, uneven, out);
    expect(out).toEqual(pictureOf(field.values, sign, 0.002, 0.001, uneven));
  });

  it("is the same from values that were never sorted", () => {
    const reduced = field.values.subarray(0, 2000);
    const out = new Uint32Array(reduced.length);
    expect(reduceChannels(values, 3, sign).subarray(0, 2000)).toEqual(reduced);
    const level = field.level(99);
    const cuts = [100, 99, 30, 5, 0.1, 0].map((percent) => field.keep(percent).cut);
    for (const one of [level, 2 * field.largest, 0]) {
      const found = entriesOf(reduced, one, sign);
      // Also a cut of nothing, one that lies between two entries, and one beyond the end of the colours.
      for (const cut of [...cuts, 0, level / 3, level, 1.5 * level]) {
        paintValues(reduced, found, one, cut, sign, table, out);
        const right = pictureOf(reduced, sign, one, cut, table);
        expect(out.findIndex((colour, i) => colour !== right[i])).toBe(-1);
      }
    }
  });
});

describe("a window of a coarse map", () => {
  const draw = random(2);
  const cells = Float32Array.from({ length: 7 * 9 }, () => draw() - 0.5);
  const gaps = cells.map((value, i) => (i % 5 ? value : Number.NaN));
  const size = [140, 150] as const;
  const [width, height] = size;

  for (const [name, values] of [
    ["whole", cells],
    ["with gaps", gaps],
  ] as const) {
    const field = new Field("signed", 9, 7, values);
    const level = field.level(90);
    const { cut } = field.keep(60);
    const table = tableFor("signed");

    it.each(WINDOWS)(`that is ${name} and smooth is that of the whole picture, %o`, (window) => {
      const whole = new Uint32Array(width * height);
      paintEnlarged(field, size, level, cut, table, whole);
      const found = painted(window, (out) => paintSmooth(field, size, window, level, cut, table, out));
      expect(found).toEqual(partOf(whole, width, window));
    });
  }

  it("with gaps is where nothing is missing almost what it is without", () => {
    const whole = enlarge(new Field("signed", 9, 7, cells), width, height);
    const holes = enlarge(new Field("signed", 9, 7, gaps), width, height);
    const same = whole.filter((value, i) => Math.abs(value - holes[i]!) < 1e-6).length;
    expect(same).toBeGreaterThan(0.2 * width * height);
    expect(same).toBeLessThan(0.9 * width * height);
  });
});
