// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { gradientMap } from "../dev/fake";
import { Field } from "../src/map/field";
import type { Sign } from "../src/map/reduce";
import { PAUSE } from "../src/state/store";
import {
  alongBar,
  axisFor,
  binsFor,
  clipAt,
  clippedPercent,
  countsAlong,
  fromBar,
  magnitudeAt,
  positionAt,
  thresholdAt,
} from "../src/view/axis";
import { movedBy } from "../src/view/crosshair";
import { percentile } from "../src/view/legend";
import { regionWords } from "../src/view/strongest";
import { frame, model, show } from "./page";

const SHAPE = [3, 40, 50] as const;
const fieldOf = (sign: Sign) => Field.from(gradientMap(SHAPE, 3), SHAPE, sign);
const SIGNS: Sign[] = ["absolute", "signed", "positive", "negative"];

describe.each(SIGNS)("the axis of a map that is %s", (sign) => {
  const field = fieldOf(sign);
  const axis = axisFor([field], 0);

  it("has the usual level at about 60 % of its length, the strongest at its end, and an inverse", () => {
    expect(positionAt(axis, field.level(99))).toBeCloseTo(0.6, 6);
    expect([positionAt(axis, 0), positionAt(axis, field.largest)]).toEqual([0, 1]);
    for (const at of [0, 0.1, 0.5, 0.92, 0.95, 1]) {
      expect(positionAt(axis, magnitudeAt(axis, at))).toBeCloseTo(at, 9);
      for (const along of alongBar(sign, at)) expect(fromBar(sign, along)).toBeCloseTo(at, 9);
    }
  });

  it("counts every value once", () => {
    const counts = countsAlong(field, axis, 129);
    expect(counts.reduce((a, b) => a + b)).toBe(2000);
    // Beside the edges, so that rounding at them does not matter.
    for (const bins of [20, 64, 65, 110]) {
      const left = [...field.values].filter((value) => {
        const [upper, lower] = alongBar(sign, positionAt(axis, Math.abs(value)));
        return ((value < 0 ? lower : undefined) ?? upper!) < bins / 129;
      });
      const counted = counts.slice(0, bins).reduce((a, b) => a + b);
      // A negative map's bars hold their right edge, and zero is its end.
      expect(Math.abs(counted - left.length)).toBeLessThanOrEqual(1);
    }
  });

  it("leaves no bar empty between two that are not, where values come in even steps", () => {
    // Most of them weak and a few strong, as gradients are.
    const spread = Float32Array.from(
      { length: 4800 },
      (_, i) => ((2 * i) / 4799 - 1) ** 5 + 1e-4 * Math.sin(i),
    );
    const fine = Field.from(spread, [1, 60, 80], sign);
    const step = fine.largest / 127;
    const rounded = fine.values.map((value) => Math.round(value / step) * step);
    const stepped = new Field(sign, 80, 60, rounded);
    const over = axisFor([stepped], 0);
    const bins = binsFor(stepped, over, 129);
    const dense = stepped.magnitude(Math.floor(0.9 * stepped.finite));
    const empty = (counts: Uint32Array) => {
      const ends = alongBar(sign, positionAt(over, dense)).map((along) => Math.floor(along * counts.length));
      const zero = Math.floor(alongBar(sign, 0)[0]! * (counts.length - 1));
      const [from, to] = [Math.min(zero, ...ends), Math.max(zero, ...ends)];
      return counts.subarray(from + 1, to).includes(0);
    };
    if (sign === "absolute") expect(empty(countsAlong(stepped, over, 129))).toBe(true);
    expect(bins).toBeLessThan(sign === "signed" ? 130 : 129);
    expect(empty(countsAlong(stepped, over, bins))).toBe(false);
    expect(binsFor(fine, axisFor([fine], 0), 129)).toBe(129);
  });

  it("leads to the clip and the threshold that stand for a magnitude", () => {
    for (const at of [0.2, 0.4, 0.6, 0.99]) {
      const magnitude = magnitudeAt(axis, at);
      const level = field.level(clipAt(field, magnitude));
      const kept = field.keep(thresholdAt(field, magnitude));
      if (clipAt(field, magnitude) > 50) {
        expect(level).toBeLessThanOrEqual(magnitude);
        expect(field.countUpTo(level)).toBe(field.countUpTo(magnitude));
      }
      expect(kept.count).toBe(2000 - field.countBelow(magnitude));
    }
    expect([clipAt(field, field.largest), thresholdAt(field, 0)]).toEqual([100, 100]);
    expect(clippedPercent(field, field.largest)).toBe(0);
  });
});

describe("words and keys", () => {
  it("never round a percentile to the last", () => {
    expect([99, 99.21, 99.99, 99.9987, 100].map(percentile)).toEqual([
      "99th",
      "99.21th",
      "99.99th",
      "99.999th",
      "100th",
    ]);
  });

  it("say in which ninth of the picture a place is", () => {
    const said = [
      [0, 0],
      [15, 15],
      [29, 15],
      [15, 29],
    ].map(([row, column]) => regionWords({ row: row!, column: column! }, [30, 30]));
    expect(said).toEqual(["top left", "centre", "bottom", "right"]);
  });

  it("move by one, with Shift by ten, inside of the picture, and leave other keys alone", () => {
    const press = (key: string, more = {}) =>
      movedBy(
        { key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more },
        { row: 4, column: 4 },
        [8, 6],
      );
    expect(press("ArrowDown")).toEqual({ row: 5, column: 4 });
    expect(press("ArrowRight", { shiftKey: true })).toEqual({ row: 4, column: 7 });
    expect([press("ArrowLeft", { ctrlKey: true }), press("x")]).toEqual([null, null]);
  });
});

describe("the handles and the pins", () => {
  const key = (element: Element, name: string, kind = "keydown") =>
    element.dispatchEvent(new KeyboardEvent(kind, { key: name, bubbles: true }));

  it("set while keys are held, and save once", async () => {
    const fake = model();
    const { find } = show(fake);
    for (const [name, trait] of [
      ["Clip at value", "clip"],
      ["Hide below value", "threshold"],
    ] as const) {
      const handle = find(`[role=slider][aria-label='${name}']`);
      const [before, saves] = [fake.get(trait), fake.saves];
      const step = trait === "clip" ? "ArrowLeft" : "ArrowRight";
      for (let i = 0; i < 3; i++) {
        key(handle, step);
        await frame();
      }
      expect(fake.saves).toBe(saves);
      key(handle, step, "keyup");
      expect([fake.saves, fake.sent]).toEqual([saves + 1, []]);
      expect(fake.get(trait)).toBeLessThan(before as number);
      expect(handle.getAttribute("aria-valuetext")).toMatch(/logit per full-scale pixel, .*%/);
    }
  });

  it("and the crosshair's keys save once a gesture, whatever it is made of, and at once when the focus goes", async () => {
    const fake = model();
    const { root } = show(fake);
    const crosshair = [...root.querySelectorAll("button")].find((one) => one.textContent === "Crosshair")!;
    const pause = (share: number) => new Promise((resolve) => setTimeout(resolve, share * PAUSE));
    for (const name of ["+", "[", "s", "-", "l"]) {
      key(crosshair, name);
      await pause(0.5);
    }
    expect(fake.saves).toBe(0);
    await pause(1.2);
    expect([fake.saves, fake.sent]).toEqual([1, []]);
    key(crosshair, "+");
    key(crosshair, "]");
    crosshair.dispatchEvent(new Event("blur"));
    expect(fake.saves).toBe(2);
    await pause(1.2);
    expect([fake.saves, fake.sent]).toEqual([2, []]);
    key(crosshair, "]");
    key(crosshair, "z");
    // What was not saved yet is the gesture that is taken back.
    expect(fake.saves).toBe(4);
    await pause(1.2);
    expect(fake.saves).toBe(4);
  });

  it("keep a place by p, once, go there and take it away again", async () => {
    const fake = model();
    const { find, root } = show(fake);
    const crosshair = [...root.querySelectorAll("button")].find((one) => one.textContent === "Crosshair")!;
    key(crosshair, "p");
    key(crosshair, "p");
    expect([(fake.get("pins") as unknown[]).length, fake.saves]).toEqual([1, 1]);
    const row = find<HTMLInputElement>("input[type=number]");
    const [pinned] = fake.get("pins") as number[][];
    key(crosshair, pinned![0]! > 0 ? "ArrowUp" : "ArrowDown");
    await frame();
    expect(row.valueAsNumber).not.toBe(pinned![0]);
    find<HTMLButtonElement>("[aria-label^='Go to pin 1']").click();
    await frame();
    expect(row.valueAsNumber).toBe(pinned![0]);
    find<HTMLButtonElement>("[aria-label='Remove pin 1']").click();
    await frame();
    expect([fake.get("pins"), fake.saves, find(".pins").hidden]).toEqual([[], 2, true]);
  });
});
