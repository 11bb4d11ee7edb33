import { describe, expect, it } from "vitest";
import { count, number3, ordinal, percent, ratio, seconds, shorten, signed3 } from "../src/map/format";
import { parseHeader, parseInfo } from "../src/map/header";
import { Labels } from "../src/map/labels";
import { Lru } from "../src/map/lru";
import { percentAt, positionOf, STEPS } from "../src/map/scale";

describe("numbers in words", () => {
  it.each([
    [0, "0"],
    [-0.0031234, "−0.00312"],
    [0.00031234, "3.12e−4"],
    [12.345, "12.3"],
    [999.9, "1000"],
    [12345, "12300"],
    [1e9, "1.00e9"],
    [Number.NaN, "not a number"],
  ])("%d is %s", (value, words) => {
    expect(number3(value)).toBe(words);
  });

  it("has signs, thousands, ordinals, seconds", () => {
    expect([signed3(1.5), signed3(-1.5), signed3(0)]).toEqual(["+1.50", "−1.50", "0"]);
    expect([count(812), count(50176), count(1234567)]).toEqual(["812", "50,176", "1,234,567"]);
    expect([1, 2, 3, 11, 12, 99, 50, 2.5, 100].map(ordinal).join()).toBe(
      "1st,2nd,3rd,11th,12th,99th,50th,2.5th,100th",
    );
    expect([seconds(0.1234), seconds(12.34)].join()).toBe("0.12\u00a0s,12.3\u00a0s");
  });

  it("never rounds a share to none or to all", () => {
    const said = [0, 0.001, 0.52, 5, 38.94, 99.95, 99.998, 99.9999, 100].map((v) =>
      percent(v).replace("\u00a0", ""),
    );
    expect(said).toEqual(["0%", "<0.01%", "0.52%", "5%", "38.9%", "99.95%", "99.99%", "99.99%", "100%"]);
  });

  it("says how far an error is above the whole", () => {
    const said = [0, 0.05, 1, 1.004, 3.5, 12.34].map((v) => ratio(v).replace("\u00a0", ""));
    expect(said).toEqual(["0%", "5%", "100%", "100%", "350%", "1230%"]);
  });

  it("keeps its decimal in a column of shares", () => {
    const said = [0, 0.5, 1, 17, 39.28, 100].map((v) => percent(v, true).replace("\u00a0", ""));
    expect(said).toEqual(["0%", "0.5%", "1.0%", "17.0%", "39.3%", "100%"]);
  });

  it("shortens by characters", () => {
    expect(shorten("a".repeat(10000))).toHaveLength(60);
    expect(shorten("😀".repeat(70), 3)).toBe("😀😀…");
    expect(shorten("lynx")).toBe("lynx");
  });

  it("keeps a label that is written, or turns, from right to left out of the rest of a sentence", () => {
    expect(shorten("שלום")).toBe("\u2068שלום\u2069");
    expect(shorten("\u202eevil")).toBe("\u2068\u202eevil\u2069");
    expect(shorten("\u2069\u202eevil\u2067")).toBe("\u2068\u202eevil\u2069");
    expect(shorten("شكرا".repeat(30))).toMatch(/^\u2068.{59}…\u2069$/);
  });
});

describe("threshold slider", () => {
  it("goes from all to a thousandth, and back", () => {
    expect(percentAt(0)).toBe(100);
    expect(percentAt(STEPS)).toBe(0.1);
    for (let p = 0; p <= STEPS; p++) expect(positionOf(percentAt(p))).toBe(p);
    expect([positionOf(0), positionOf(-1), positionOf(Number.NaN), positionOf(500)]).toEqual([
      STEPS,
      STEPS,
      STEPS,
      0,
    ]);
  });
});

describe("labels", () => {
  const names = [
    "tench",
    "great white shark",
    "tiger shark",
    "tiger cat",
    "tiger",
    "antiger",
    "crane",
    "crane",
  ];
  const labels = new Labels(names, 10);

  it("finds whole labels first, then beginnings, words and parts", () => {
    expect(labels.find("Tiger", 50).matches).toEqual([4, 2, 3, 5]);
    expect(labels.find("shark", 50).matches).toEqual([1, 2]);
  });
  it("finds a number, and classes without a label", () => {
    expect(labels.find("7", 50).matches).toEqual([7]);
    expect(labels.find("class", 50).matches).toEqual([8, 9]);
    expect(labels.name(9)).toBe("class 9");
  });
  it("tells classes of one label apart by their numbers, and finds them by either", () => {
    expect([labels.name(6), labels.name(7), labels.name(3)]).toEqual(["crane (6)", "crane (7)", "tiger cat"]);
    expect(labels.find("crane", 50).matches).toEqual([6, 7]);
    expect(labels.find("crane (7)", 50).matches).toEqual([7]);
    expect(new Labels(["crane", "a crane", "crane"], 3).find("crane", 50).matches).toEqual([0, 2, 1]);
  });
  it("lists some first when nothing is typed", () => {
    expect(labels.find(" ", 4, [6, 2, 99]).matches).toEqual([6, 2, 0, 1]);
  });
  it("finds nothing without fuss", () => {
    expect(labels.find("(.*", 50)).toEqual({ matches: [], total: 0 });
    expect(new Labels([], 0).find("", 50)).toEqual({ matches: [], total: 0 });
  });
  it("stops at 50 of 21,000 and says how many there are", () => {
    const many = new Labels(
      Array.from({ length: 21000 }, (_, i) => `thing ${i}`),
      21000,
    );
    const found = many.find("thing", 50);
    expect([found.matches.length, found.total]).toEqual([50, 21000]);
    expect(many.find("20999", 50).matches[0]).toBe(20999);
  });
});

describe("headers", () => {
  const good = { key: "k", dtype: "float16", shape: [3, 2, 2], scale: 1, slot: 0 };
  it("are read with defaults", () => {
    expect(parseHeader(good)).toMatchObject({ key: "k", slot: 0, shape: [3, 2, 2], target: { index: null } });
  });
  it.each([
    [null],
    [[]],
    ["x"],
    [{ ...good, key: 3 }],
    [{ ...good, shape: [3, 2] }],
    [{ ...good, shape: [3, -2, 2] }],
    [{ ...good, shape: [3, 2.5, 2] }],
    [{ ...good, shape: [3, 1e5, 1e5] }],
    [{ ...good, scale: Number.NaN }],
    [{ ...good, scale: "1" }],
    [{ ...good, dtype: "float32" }],
  ])("refuses %j", (raw) => {
    expect(parseHeader(raw)).toBeNull();
  });
  it("know what makes a probability", () => {
    const kinds = [{ probability: "sigmoid" }, { classes: 1 }, { classes: 2 }, { probability: 7 }];
    expect(kinds.map((raw) => parseInfo(raw).probabilityKind)).toEqual([
      "sigmoid",
      "sigmoid",
      "softmax",
      "softmax",
    ]);
  });
  it("gives an info for anything", () => {
    for (const raw of [null, 3, { prediction: [null, { index: -1 }, {}], picture: 3, channels: 7 }]) {
      expect(parseInfo(raw)).toMatchObject({ prediction: [], width: 0, channels: [] });
    }
  });
});

describe("Lru", () => {
  it("drops what was used longest ago, never what came last", () => {
    const lru = new Lru<number>(10);
    lru.set("a", 1, 4);
    lru.set("b", 2, 4);
    lru.get("a");
    lru.set("c", 3, 4);
    expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual([1, undefined, 3]);
    lru.set("huge", 4, 100);
    expect([lru.get("a"), lru.get("huge")]).toEqual([undefined, 4]);
  });
});
