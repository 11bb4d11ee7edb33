// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { type FakeModel, gradientMap, headerFor, pack } from "../dev/fake";
import { parseInfo } from "../src/map/header";
import { outlineOf } from "../src/map/outline";
import { type Box, between, boxAt, kindAt, placeWords, quantityOf } from "../src/map/spots";
import { shownBoxes } from "../src/view/marks";
import { frame, lastReq, model, SHAPE, show } from "./page";

const box = (query: number, index: number, edges: Box["edges"], probability = 0.9): Box => ({
  index,
  label: `thing ${index}`,
  probability,
  place: [query],
  edges,
});
const LARGE = box(0, 1, [0, 0, 8, 8]);
const SMALL = box(1, 2, [2, 2, 5, 5], 0.6);
const FAINT = box(2, 1, [3, 3, 8, 8], 0.1);

describe("the box that a click means", () => {
  const boxes = [LARGE, SMALL, FAINT];

  it("is the smallest that holds the place", () => {
    expect(boxAt(boxes, 2.5, 2.5, null)).toBe(SMALL);
    expect(boxAt(boxes, 0.5, 7.5, null)).toBe(LARGE);
    expect(boxAt([SMALL], 7, 7, null)).toBe(null);
    expect(boxAt([], 7, 7, null)).toBe(null);
  });

  it("holds its own edges", () => {
    for (const [row, column] of [
      [2, 2],
      [5, 5],
      [2, 5],
    ] as const)
      expect(boxAt([SMALL], row, column, null)).toBe(SMALL);
    expect(boxAt([SMALL], 5.01, 3, null)).toBe(null);
  });

  it("is the next larger where the smallest is chosen already, and the smallest after the largest", () => {
    const taken: Box[] = [];
    let chosen: Box | null = null;
    for (let i = 0; i < 4; i++) {
      chosen = boxAt(boxes, 4, 4, chosen);
      taken.push(chosen!);
    }
    expect(taken).toEqual([SMALL, FAINT, LARGE, SMALL]);
  });

  it("is never one that is not drawn, but for the one that is looked at", () => {
    const spots = { kind: "detection", height: 8, width: 8, areas: [], boxes } as const;
    expect(shownBoxes(spots, 0.5, null)).toEqual([LARGE, SMALL]);
    expect(shownBoxes(spots, 0.5, FAINT)).toEqual(boxes);
    expect(shownBoxes(spots, 0, null)).toEqual(boxes);
  });
});

describe("places", () => {
  it("are rectangles with both corners in them, whichever way they are drawn", () => {
    expect(between({ row: 2, column: 7 }, { row: 5, column: 3 })).toEqual([2, 3, 6, 8]);
    expect(between({ row: 2, column: 2 }, { row: 2, column: 2 })).toEqual([2, 2, 3, 3]);
  });

  it("have a kind of score and words", () => {
    const spots = { kind: "segmentation", height: 8, width: 8, areas: [], boxes: [] } as const;
    expect([[], [1, 2], [1, 2, 3, 4], [77]].map((place) => kindAt(spots, place))).toEqual([
      "segment logit",
      "pixel logit",
      "region logit",
      "region logit",
    ]);
    expect(kindAt({ ...spots, kind: "detection" }, [1])).toBe("box logit");
    expect(kindAt(spots, [1, 2], "probability")).toBe("pixel probability");
    expect(["pixel log-probability", "box logit", "probability", "segments"].map(quantityOf)).toEqual([
      "log-probability",
      "logit",
      "probability",
      "segments",
    ]);
    expect([[], [1, 2], [1, 2, 3, 5], [77]].map(placeWords)).toEqual([
      "",
      "row 1, column 2",
      "rows 1 to 2, columns 2 to 4",
      "the drawn mask",
    ]);
  });

  it("are read from whatever a trait may hold", () => {
    for (const scene of [
      null,
      3,
      [],
      {},
      { kind: "x", height: 8, width: 8 },
      { kind: "detection", height: 0, width: 8 },
    ])
      expect(parseInfo({ scene }).spots).toBe(null);
    const odd = { index: 1, box: [0, 0, 1, "1"], place: [0] };
    const boxes = [
      null,
      odd,
      { ...odd, box: [0, 0, 1] },
      { ...odd, index: -1 },
      { ...odd, box: [0, 1, 2, 3] },
    ];
    expect(parseInfo({ scene: { kind: "detection", height: 8, width: 8, boxes } }).spots?.boxes).toEqual([
      { index: 1, label: "class 1", probability: 0, place: [0], edges: [0, 1, 2, 3] },
    ]);
  });
});

const INFO = { picture: { width: 8, height: 8 }, channels: ["R", "G", "B"], classes: 3, prediction: [] };
const DETECTION = {
  ...INFO,
  scene: {
    kind: "detection",
    height: 16,
    width: 16,
    boxes: [LARGE, SMALL, FAINT].map(({ edges, ...one }) => ({ ...one, box: edges.map((edge) => 2 * edge) })),
  },
};
const SEGMENTATION = {
  ...INFO,
  scene: {
    kind: "segmentation",
    height: 16,
    width: 16,
    areas: [
      { index: 1, label: "cat", share: 0.75 },
      { index: 2, label: "dog", share: 0.25 },
    ],
  },
};

function header(index: number, kind: string, place: readonly number[], slot: number) {
  const { bytes, scale } = pack(gradientMap(SHAPE, index));
  const one = headerFor(index, `thing ${index}`, SHAPE, scale, slot);
  const target = { ...one.target, kind, place, text: `logit of thing ${index} somewhere` };
  return { bytes, header: { ...one, key: `${kind}/${index}/${place}`, target } };
}

function open(info: object, kind: string, place: readonly number[], more: object = {}) {
  const { bytes, header: one } = header(1, kind, place, 0);
  const fake = model({ _info: info, _maps: [one], _slot_0: bytes, shown: one.key, ...more });
  const page = show(fake);
  const stage = page.find(".stage");
  stage.getBoundingClientRect = () => ({ left: 0, top: 0, width: 80, height: 80 }) as DOMRect;
  const at = (x: number, y: number, more: object = {}) => ({
    bubbles: true,
    composed: true,
    clientX: x,
    clientY: y,
    pointerId: 1,
    button: 0,
    ...more,
  });
  const press = (x: number, y: number, to = [x, y], more: object = {}) => {
    stage.dispatchEvent(new PointerEvent("pointerdown", at(x, y, more)));
    if (to[0] !== x || to[1] !== y)
      stage.dispatchEvent(new PointerEvent("pointermove", at(to[0]!, to[1]!, more)));
    stage.dispatchEvent(new PointerEvent("pointerup", at(to[0]!, to[1]!, more)));
    stage.dispatchEvent(new MouseEvent("click", at(to[0]!, to[1]!, more)));
  };
  return { fake, page, press, stage, at };
}

const requests = (fake: FakeModel) =>
  (fake.sent as { kind: string; want: { target: unknown } }[])
    .filter(({ kind }) => kind === "request")
    .map(({ want }) => want.target);

function key(page: ReturnType<typeof show>, name: string): void {
  const crosshair = [...page.root.querySelectorAll("button")].find((one) => one.textContent === "Crosshair")!;
  crosshair.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
}

function named(page: ReturnType<typeof show>, start: string): HTMLButtonElement {
  return [...page.root.querySelectorAll("button")].find((one) => one.textContent!.startsWith(start))!;
}

function scores(page: ReturnType<typeof show>): HTMLSelectElement {
  return page.find(".question select") as HTMLSelectElement;
}

describe("the score at a place", () => {
  const words = (select: HTMLSelectElement) => [...select.options].map((one) => one.textContent);

  it("is offered in words, and stays what it is at the next place", async () => {
    const { fake, page } = open(SEGMENTATION, "pixel logit", [2, 3]);
    await frame();
    const select = scores(page);
    expect(words(select)).toEqual(["logit", "probability", "log-probability"]);
    expect(page.find(".question").hidden).toBe(false);
    select.value = "pixel probability";
    select.dispatchEvent(new Event("change"));
    expect(requests(fake)).toEqual([{ kind: "pixel probability", index: 1, other: null, place: [2, 3] }]);
    expect(page.find(".question .versus").hidden).toBe(true);
    const there = open(SEGMENTATION, "pixel probability", [2, 3]);
    there.press(35, 35);
    expect(requests(there.fake)).toMatchObject([{ kind: "pixel probability", index: null }]);
  });

  it("of a box likewise", async () => {
    const { fake, page } = open(DETECTION, "box logit", [0]);
    await frame();
    expect(page.find(".question").hidden).toBe(false);
    scores(page).value = "box log-probability";
    scores(page).dispatchEvent(new Event("change"));
    expect(requests(fake)).toEqual([{ kind: "box log-probability", index: 1, other: null, place: [0] }]);
  });

  it("is the logit alone where nothing makes probabilities", async () => {
    const { page } = open({ ...SEGMENTATION, probability: "" }, "segment logit", []);
    await frame();
    expect(words(scores(page))).toEqual(["logit"]);
  });
});

describe("a click in the picture of a detector", () => {
  it("asks for the box there, bound to its query", async () => {
    const { fake, press } = open(DETECTION, "box logit", [0]);
    press(35, 35);
    expect(requests(fake)).toEqual([{ kind: "box logit", index: 2, other: null, place: [1] }]);
  });

  it("asks for nothing where there is no other box", () => {
    const { fake, press } = open(DETECTION, "box logit", [0]);
    press(75, 5);
    expect(requests(fake)).toEqual([]);
  });

  it("draws the likely boxes, emphasises the one that is looked at, and rests those that are not here", async () => {
    const { page } = open(DETECTION, "box logit", [0]);
    await frame();
    const marks = [...page.root.querySelectorAll(".box-mark")];
    expect(marks.map((one) => one.textContent)).toEqual(["thing 1, 90.0\u00a0%", "thing 2, 60.0\u00a0%"]);
    expect(marks.map((one) => one.hasAttribute("data-chosen"))).toEqual([true, false]);
    expect(marks.map((one) => one.hasAttribute("data-rest"))).toEqual([false, false]);
    expect((marks[1] as HTMLElement).style.left).toBe("25%");
  });

  it("shows and says without a kernel what rests", async () => {
    const { fake, page, press } = open(DETECTION, "box logit", [0], { layout: { comm_live: false } });
    await frame();
    const marks = [...page.root.querySelectorAll(".box-mark")];
    expect(marks.map((one) => one.hasAttribute("data-rest"))).toEqual([false, true]);
    press(35, 35);
    await frame();
    expect(fake.sent).toEqual([]);
    expect(named(page, "Choose this box").getAttribute("aria-disabled")).toBe("true");
    expect(named(page, "Choose this box").title).toContain("Without a kernel");
    expect(page.find(".rest").textContent).toContain("boxes");
  });

  it("says which box it would take", async () => {
    const { page, stage, at } = open(DETECTION, "box logit", [0]);
    for (const [x, y, words] of [
      [35, 35, "thing 2, 60.0\u00a0%"],
      [79, 5, "thing 1, 90.0\u00a0%"],
    ] as const) {
      stage.dispatchEvent(new PointerEvent("pointermove", at(x, y)));
      await frame();
      expect(named(page, "Choose this box").title).toBe(words);
      expect(page.find("[data-aim]").textContent).toBe(words);
    }
  });

  it("offers the same boxes in a list", async () => {
    const { fake, page } = open(DETECTION, "box logit", [0]);
    const input = page.root.querySelectorAll<HTMLInputElement>("[role=combobox]")[1]!;
    expect(input.value).toBe("thing 1, 90.0\u00a0%");
    expect(page.root.querySelector<HTMLElement>(".combobox")!.hidden).toBe(true);
    input.value = "thing 1, 10";
    input.dispatchEvent(new Event("input"));
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    expect(requests(fake)).toEqual([{ kind: "box logit", index: 1, other: null, place: [2] }]);
  });
});

describe("a click in the picture of a segmentation", () => {
  it("asks for the class that is predicted at that pixel of the model's picture", () => {
    const { fake, press } = open(SEGMENTATION, "segment logit", []);
    press(79, 1);
    expect(requests(fake)).toEqual([{ kind: "pixel logit", index: null, other: null, place: [0, 15] }]);
  });

  it("is none where the pointer was dragged, or where clicks only read", async () => {
    const { fake, page, press } = open(SEGMENTATION, "segment logit", []);
    press(10, 10, [40, 40]);
    const toggle = page.find<HTMLInputElement>(".place-tools input[type=checkbox]");
    expect(toggle.checked).toBe(true);
    toggle.click();
    press(20, 20);
    expect(requests(fake)).toEqual([]);
    toggle.click();
    press(20, 20);
    expect(requests(fake).length).toBe(1);
  });

  it("with Shift draws a region", async () => {
    const { fake, page, press } = open(SEGMENTATION, "segment logit", []);
    press(12, 12, [33, 48], { shiftKey: true });
    expect(requests(fake)).toEqual([
      { kind: "region logit", index: null, other: null, place: [2, 2, 10, 7] },
    ]);
    await frame();
    expect(page.find("[data-drawn]").hidden).toBe(true);
  });

  it("asks for no region where the pointer is called off, and leaves none behind", async () => {
    const { fake, page, stage, at } = open(SEGMENTATION, "segment logit", []);
    stage.dispatchEvent(new PointerEvent("pointerdown", at(12, 12, { shiftKey: true })));
    stage.dispatchEvent(new PointerEvent("pointermove", at(40, 40, { shiftKey: true })));
    await frame();
    expect(page.find("[data-drawn]").hidden).toBe(false);
    stage.dispatchEvent(new PointerEvent("pointercancel", at(40, 40)));
    key(page, "Escape");
    await frame();
    expect([page.find("[data-drawn]").hidden, requests(fake)]).toEqual([true, []]);
  });

  it("keeps the class of the map on display in the box until the other is known", async () => {
    const { fake, page, press } = open(SEGMENTATION, "segment logit", []);
    press(79, 1);
    await frame();
    expect(requests(fake).length).toBe(1);
    expect(page.find<HTMLInputElement>("[role=combobox]").value).toBe("<b>cat</b>");
  });

  it("is asked for once: the latest of several wins", () => {
    const { fake, press } = open(SEGMENTATION, "segment logit", []);
    press(10, 10);
    fake.reply({ kind: "accepted", req: lastReq(fake) });
    const first = lastReq(fake);
    press(20, 20);
    press(30, 30);
    expect(requests(fake).length).toBe(1);
    fake.reply({ kind: "cancelled", req: first, reason: "newer", key: "" });
    expect(requests(fake).at(-1)).toEqual({ kind: "pixel logit", index: null, other: null, place: [6, 6] });
  });

  it("leaves the class to the menu, at the same place", async () => {
    const { fake, page } = open(SEGMENTATION, "pixel logit", [3, 4]);
    await frame();
    expect(page.find("[data-pixel]").style.top).toBe("21.875%");
    const input = page.find<HTMLInputElement>("[role=combobox]");
    input.value = "zero";
    input.dispatchEvent(new Event("input"));
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    expect(requests(fake)).toEqual([{ kind: "pixel logit", index: 0, other: null, place: [3, 4] }]);
  });

  it("is what keys do: Enter chooses, two corners are a region, Escape lets go", async () => {
    const { fake, page } = open(SEGMENTATION, "segment logit", []);
    const [row, column] = [
      ...page.root.querySelectorAll<HTMLInputElement>(".readout input"),
    ] as HTMLInputElement[];
    const go = async (r: number, c: number) => {
      for (const [input, value] of [
        [row, r],
        [column, c],
      ] as const) {
        input!.value = String(value);
        input!.dispatchEvent(new Event("input"));
      }
      await frame();
    };
    await go(1, 2);
    key(page, "r");
    key(page, "Escape");
    key(page, "r");
    await go(4, 6);
    expect(page.find("[data-drawn]").hidden).toBe(false);
    key(page, "r");
    // A pixel of the reduced picture stands for several; its middle is meant.
    expect(requests(fake)).toEqual([
      { kind: "region logit", index: null, other: null, place: [3, 5, 10, 14] },
    ]);
    fake.reply({ kind: "cancelled", req: lastReq(fake), reason: "stopped", key: "" });
    key(page, "Enter");
    expect(requests(fake).at(-1)).toEqual({ kind: "pixel logit", index: null, other: null, place: [9, 13] });
    key(page, "Escape");
    expect((fake.sent.at(-1) as { kind: string }).kind).toBe("cancel");
  });

  it("lists the largest segments and what else was looked at", async () => {
    const { page } = open(SEGMENTATION, "pixel logit", [3, 4]);
    const rows = [...page.root.querySelectorAll(".classes button")];
    expect(rows.map((one) => one.querySelector(".name")!.textContent)).toEqual([
      "cat",
      "dog",
      "<b>cat</b> at row 3, column 4",
    ]);
    expect(rows.map((one) => one.getAttribute("aria-pressed"))).toEqual(["false", "false", "true"]);
    expect(page.find(".says").textContent).toBe("The model sees cat in 75\u00a0% of the picture");
  });
});

describe("a regression", () => {
  const prediction = [
    { index: 1, label: "age", score: 31.25, probability: null },
    { index: 0, label: "height", score: 1.5, probability: null },
  ];

  it("has numbers and no probabilities", () => {
    const page = show(
      model({
        _info: {
          ...INFO,
          prediction,
          probability: "",
          scores: [
            { kind: "logit", label: "logit" },
            { kind: "probability", label: "probability" },
            { kind: "log-probability", label: "log-probability" },
          ],
        },
      }),
    );
    expect([...page.root.querySelectorAll(".classes .number")].map((one) => one.textContent)).toEqual([
      "31.3",
      "1.50",
    ]);
    expect([...page.root.querySelectorAll<HTMLElement>(".classes .meter")].map((one) => one.hidden)).toEqual([
      true,
      true,
    ]);
    expect(page.find(".says").textContent).toBe("The model gives 31.3 for age");
    expect([...page.root.querySelectorAll(".question option")].map((one) => one.textContent)).toEqual([
      "logit",
    ]);
  });
});

describe("an outline", () => {
  const shape = (rows: readonly string[]) => {
    const cells = rows.join("");
    const bytes = new Uint8Array(Math.ceil(cells.length / 8));
    [...cells].forEach((cell, at) => {
      if (cell === "#") bytes[at >> 3]! |= 128 >> (at & 7);
    });
    const bits = btoa(String.fromCharCode(...bytes));
    return { height: rows.length, width: rows[0]!.length, step: 1, bits };
  };

  it("goes round what is in it, with edges in a line as one", () => {
    expect(outlineOf(shape([".....", ".##..", "....."]))).toBe("M1 1H3M1 2H3M1 1V2M3 1V2");
    expect(outlineOf(shape(["##", "##"]))).toBe("M0 0H2M0 2H2M0 0V2M2 0V2");
    expect(outlineOf(shape(["..", ".."]))).toBe("");
  });

  it("leaves holes out, and two that touch at a corner are two", () => {
    expect(outlineOf(shape(["###", "#.#", "###"])).match(/M/g)).toHaveLength(8);
    expect(outlineOf(shape(["#.", ".#"])).match(/M/g)).toHaveLength(6);
  });

  it("is none where the bits do not fit", () => {
    expect(outlineOf({ height: 100, width: 100, step: 1, bits: "AAAA" })).toBe("");
    expect(outlineOf({ height: 1, width: 1, step: 1, bits: "*" })).toBe("");
  });
});
