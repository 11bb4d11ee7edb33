import { agreement } from "../src/map/agree";
import { tableFor } from "../src/map/colour";
import { enlargeWindow, paintSmooth } from "../src/map/enlarge";
import { Field } from "../src/map/field";
import { decodeHalf } from "../src/map/half";
import { histogram } from "../src/map/histogram";
import { entriesOf, paint, paintedSize, paintValues, paintWindow, type Window } from "../src/map/paint";
import { strongestPlaces } from "../src/map/places";
import { reduceChannels, SIGNS } from "../src/map/reduce";
import { gradientMap, pack } from "./fake";

/** Median and 95th percentile in milliseconds, after ten runs that do not count. */
function time(name: string, work: (i: number) => void, runs = 60, warm = 10): void {
  const times: number[] = [];
  for (let i = 0; i < warm + runs; i++) {
    const start = performance.now();
    work(i);
    if (i >= warm) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(runs - 1, Math.floor(share * runs))]!.toFixed(2).padStart(8);
  console.log(`${name.padEnd(64)} ${at(0.5)} ${at(0.95)}`);
}

/** The longest that a page would stand still while a field is made a step at a time. */
function longestStep(values: Float32Array, shape: readonly [number, number, number]): number {
  const steps = Field.steps(values, shape, "signed");
  let longest = 0;
  for (let done = false; !done; ) {
    const start = performance.now();
    done = steps.next().done === true;
    longest = Math.max(longest, performance.now() - start);
  }
  return longest;
}

console.log(`${"".padEnd(64)}   median      p95  (ms)`);
const small = [3, 224, 224] as const;
const partial = gradientMap(small, 1);
time("224 x 224 x 3: make a field, signed", () => Field.from(partial, small, "signed"));
time("224 x 224 x 3: make a field, absolute", () => Field.from(partial, small, "absolute"));

const shape = [3, 1024, 1024] as const;
const { bytes, scale } = pack(gradientMap(shape, 1));
time("1024 x 1024 x 3: decode", () => decodeHalf(bytes, 3 * 1024 * 1024, scale), 10, 3);
const values = decodeHalf(bytes, 3 * 1024 * 1024, scale)!;
for (const [sign, how] of [
  ["absolute", "max"],
  ["signed", "sum"],
  ["signed", "l2"],
  ["positive", "1"],
] as const) {
  time(`1024 x 1024 x 3: reduce, ${sign}, ${how}`, () => reduceChannels(values, 3, sign, how), 10, 3);
}
const out = new Uint32Array(1024 * 1024);
for (const sign of SIGNS) {
  time(`1024 x 1024 x 3: make a field, ${sign}`, () => Field.from(values, shape, sign), 8, 3);
  const field = Field.from(values, shape, sign);
  const level = field.level(99);
  const table = tableFor(sign);
  time(`1024 x 1024: drag the threshold, ${sign}`, (i) =>
    paint(field, level, field.keep(1 + i).cut, table, out),
  );
  time(`1024 x 1024: drag the clip, ${sign}`, (i) =>
    paint(field, field.level(99.9 - i / 3), field.keep(30).cut, table, out),
  );
}
const map = Field.from(values, shape, "signed");
const table = tableFor("signed");
const level = map.level(99);
const reduced = reduceChannels(values, 3, "signed");
const entered = entriesOf(reduced, level, "signed");
time("1024 x 1024: entries of tiles", () => entriesOf(reduced, level, "signed"));
time("1024 x 1024: drag the threshold over tiles", (i) =>
  paintValues(reduced, entered, level, level * 0.01 * i, "signed", table, out),
);
time("1024 x 1024: histogram of 128 bins", () => histogram(map, 128, level));
time("1024 x 1024: five strongest places", () => strongestPlaces(map, 5), 10, 3);
const other = Field.from(gradientMap([1, 1024, 1024], 9), [1, 1024, 1024], "signed");
time(
  "1024 x 1024: agreement, the first time",
  () => agreement(Field.from(values, shape, "signed"), other),
  5,
  1,
);
time("1024 x 1024: agreement, again", () => agreement(map, other), 10, 3);

const size = [4096, 4096] as const;
const coarse = Field.from(gradientMap([1, 14, 14], 3), [1, 14, 14], "signed");
const whole: Window = { top: 900, left: 900, height: 1024, width: 1024, step: 1 };
time("14 x 14 cells, a window of 1024 x 1024: drag, smooth", (i) =>
  paintSmooth(coarse, size, whole, coarse.level(99), coarse.keep(10 + i).cut, table, out),
);
time("14 x 14 cells, a window of 1024 x 1024: pan, smooth", (i) =>
  paintSmooth(coarse, size, { ...whole, top: i }, coarse.level(99), 0, table, out),
);
time("14 x 14 cells, a window of 1024 x 1024: only enlarge", (i) =>
  enlargeWindow(coarse, size, { ...whole, left: i }),
);

if (!process.argv.includes("16")) {
  const large = [1, 4096, 4096] as const;
  const much = gradientMap(large, 2);
  time("4096 x 4096: make a field, signed", () => Field.from(much, large, "signed"), 3, 1);
  time("4096 x 4096: make a field, absolute", () => Field.from(much, large, "absolute"), 3, 1);
  console.log(`4096 x 4096: the longest step of making it ${longestStep(much, large).toFixed(0)} ms`);
  const field = Field.from(much, large, "signed");
  const top = field.level(99);
  for (const [name, window] of [
    ["1024 x 1024, a pixel a point", whole],
    ["all, every fourth pixel", { top: 0, left: 0, height: 4096, width: 4096, step: 4 }],
  ] as const) {
    const painted = new Uint32Array(paintedSize(window).reduce((a, b) => a * b));
    time(`4096 x 4096, ${name}: drag the threshold`, (i) =>
      paintWindow(field, window, top, field.keep(1 + i).cut, table, painted),
    );
    time(`4096 x 4096, ${name}: pan`, (i) =>
      paintWindow(field, { ...window, left: Math.min(window.left, i) }, top, 0, table, painted),
    );
  }
}
