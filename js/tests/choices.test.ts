import { beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel, gradientMap, headerFor, pack, single } from "../dev/fake";
import { History } from "../src/state/history";
import { join } from "../src/state/registry";
import { keyOf, parseWant, same, type Want } from "../src/state/want";

const SHAPE = [3, 8, 8] as const;
const METHODS = [
  { name: "gradient", label: "Gradient", parameters: [{ name: "blur", kind: "number", default: 0 }] },
  {
    name: "smoothgrad",
    label: "SmoothGrad",
    parameters: [{ name: "samples", kind: "integer", default: 50 }],
  },
];

let fake: FakeModel;
beforeEach(() => {
  vi.useFakeTimers();
  fake = new FakeModel(
    single({
      _info: { classes: 10, methods: METHODS, prediction: [{ index: 1, label: "one", probability: 0.5 }] },
      _maps: [],
      shown: "",
      method: "gradient",
      parameters: { blur: 0 },
      class_index: 1,
      versus: -1,
      score: "logit",
      model_index: 0,
      image_index: 0,
      panels: [],
      sign: "absolute",
      threshold: 100,
    }),
  );
  hold(1);
  fake.set("shown", "gradient/logit/1");
});

function hold(index: number, more: Record<string, unknown> = {}): string {
  const slot = (fake.get("_maps") as unknown[]).length;
  const { bytes, scale } = pack(gradientMap(SHAPE, index));
  fake.set(`_slot_${slot}`, new DataView(bytes.buffer));
  const header = {
    ...headerFor(index, `class ${index}`, SHAPE, scale, slot),
    method: { name: "gradient", label: "Gradient", parameters: { blur: 0 } },
    ...more,
  };
  fake.set("_maps", [...(fake.get("_maps") as unknown[]), header]);
  return header.key;
}

const asked = () =>
  fake.sent.filter((one) => (one as { kind: string }).kind === "request") as { req: string; want: Want }[];
const last = () => asked().at(-1)!;

describe("a want", () => {
  it("is the same whatever the order of its parameters, and another with another value", () => {
    const target = { kind: "logit", index: 1, other: null, place: [] };
    const want = { model: 0, image: 0, method: "m", parameters: { a: 1, b: [1, 2] }, target };
    expect(same(want, { ...want, parameters: { b: [1, 2], a: 1 } })).toBe(true);
    expect(same(want, { ...want, parameters: { b: [2, 1], a: 1 } })).toBe(false);
    expect(keyOf(want)).not.toBe(keyOf({ ...want, target: { ...target, other: 3 } }));
  });

  it("is read from whatever a trait may hold", () => {
    const odd = [null, 3, "x", [], {}, { method: "m" }, { method: 3, target: {} }];
    expect(odd.map(parseWant)).toEqual(odd.map(() => null));
    expect(parseWant({ method: "m", target: { index: -1, other: 1.5 } })).toEqual({
      model: 0,
      image: 0,
      method: "m",
      parameters: {},
      target: { kind: "logit", index: null, other: null, place: [] },
    });
  });
});

describe("choosing", () => {
  it("asks for all that makes a map another one, and keeps the rest", () => {
    const { store } = join(fake);
    store.choose({ method: "smoothgrad" });
    expect(last().want).toEqual({
      model: 0,
      image: 0,
      method: "smoothgrad",
      parameters: { samples: 50 },
      target: { kind: "logit", index: 1, other: null, place: [] },
    });
    store.choose({ parameters: { samples: 5 } });
    store.choose({ other: 4, kind: "logit" });
    expect(store.want).toMatchObject({
      method: "smoothgrad",
      parameters: { samples: 5 },
      target: { other: 4 },
    });
  });

  it("remembers the parameters that a method was last used with", () => {
    const { store } = join(fake);
    store.choose({ method: "smoothgrad", parameters: { samples: 7 } });
    store.choose({ method: "gradient" });
    expect(store.like({ method: "smoothgrad" }).parameters).toEqual({ samples: 7 });
  });

  it("never compares a class with itself", () => {
    const { store } = join(fake);
    store.choose({ other: 4 });
    store.choose({ index: 4 });
    expect(store.want.target).toEqual({ kind: "logit", index: 4, other: null, place: [] });
  });

  it("tells what is shown in plain traits, in one update", () => {
    const { store } = join(fake);
    hold(2, { target: { kind: "logit", index: 2, other: 5, label: "two" }, key: "k" });
    fake.saves = 0;
    store.choose({ index: 2, other: 5 });
    expect([fake.get("shown"), fake.get("class_index"), fake.get("versus"), fake.saves]).toEqual([
      "k",
      2,
      5,
      1,
    ]);
  });

  it("shows an outdated map and asks for it anew", () => {
    const { store } = join(fake);
    const key = hold(2, { outdated: true });
    store.choose({ index: 2 });
    expect([fake.get("shown"), last().want.target.index]).toEqual([key, 2]);
  });
});

describe("a map that was stopped", () => {
  function stopped() {
    const { store } = join(fake);
    store.choose({ method: "smoothgrad" });
    const { req } = last();
    const { bytes, scale } = pack(gradientMap(SHAPE, 9));
    const header = {
      ...headerFor(1, "one", SHAPE, scale),
      key: "s",
      method: { name: "smoothgrad", label: "SmoothGrad", parameters: { samples: 50 } },
      final: false,
    };
    fake.reply({ kind: "partial", req, seq: 1, done: 3, total: 50, seconds: 0.5, header }, [bytes]);
    expect(store.protocol.flight).toMatchObject({ done: 3, total: 50, seconds: 0.5 });
    store.stop();
    expect(fake.sent.at(-1)).toEqual({ v: 1, kind: "cancel", req, keep: true });
    return { store, req, header };
  }

  it("stays on display, and is the one that Python kept", () => {
    const { store, req, header } = stopped();
    expect(store.partial).not.toBeNull();
    hold(1, header);
    fake.reply({ kind: "cancelled", req, reason: "stopped", key: "s" });
    expect([fake.get("shown"), store.partial, store.shown?.final]).toEqual(["s", null, false]);
    store.goOn();
    expect(last().want).toMatchObject({ method: "smoothgrad", target: { index: 1 } });
  });

  it("goes where Python kept nothing", () => {
    const { store, req } = stopped();
    fake.reply({ kind: "cancelled", req, reason: "stopped", key: "" });
    expect([fake.get("shown"), store.partial]).toEqual(["gradient/logit/1", null]);
  });
});

describe("further panels", () => {
  const want = (index: number): Want => ({
    model: 0,
    image: 0,
    method: "gradient",
    parameters: { blur: 0 },
    target: { kind: "logit", index, other: null, place: [] },
  });

  it("are asked for one after another, and what is chosen comes first", () => {
    const { store } = join(fake);
    store.set("panels", [want(1), want(2), want(3)]);
    expect(asked().map((one) => one.want.target.index)).toEqual([2]);
    hold(2);
    fake.reply({ kind: "done", req: last().req, key: "gradient/logit/2" });
    vi.runAllTimers();
    expect([asked().map((one) => one.want.target.index), fake.get("shown")]).toEqual([
      [2, 3],
      "gradient/logit/1",
    ]);
    const third = last().req;
    store.choose({ index: 7 });
    fake.reply({ kind: "cancelled", req: third, reason: "" });
    expect(last().want.target.index).toBe(7);
  });

  it("are shown when what is asked for is what one waits for", () => {
    const { store } = join(fake);
    store.set("panels", [want(2)]);
    store.choose({ index: 2 });
    const key = hold(2);
    fake.reply({ kind: "done", req: last().req, key });
    vi.runAllTimers();
    expect([fake.get("shown"), asked().length]).toEqual([key, 2]);
  });

  it("wait for a run that Python begins, which is followed meanwhile", () => {
    const { store } = join(fake);
    store.set("panels", [want(2)]);
    const run = { state: "computing", want: { ...want(3), req: "p1", key: "k", text: "three" } };
    fake.set("_status", run);
    expect(store.protocol.flight?.req).toBe("p1");
    fake.reply({ kind: "done", req: "p1", key: "k" });
    fake.set("_status", { state: "idle", want: null });
    vi.runAllTimers();
    expect([asked().map((one) => one.want.target.index), store.protocol.flight?.aside]).toEqual([
      [2, 2],
      true,
    ]);
  });

  it("say why they have no map, and are not asked for again and again", () => {
    const { store } = join(fake);
    store.set("panels", [want(2)]);
    fake.reply({ kind: "error", req: last().req, message: "Too large." });
    vi.runAllTimers();
    expect([store.troubleWith(want(2)), store.trouble, asked().length]).toEqual(["Too large.", null, 1]);
  });
});

describe("undo", () => {
  it("takes back one gesture at a time, and redo brings it again", () => {
    const { store } = join(fake);
    for (const value of [50, 40, 30]) store.set("threshold", value);
    store.save();
    store.set("sign", "signed");
    store.save();
    store.undo();
    expect([fake.get("sign"), fake.get("threshold")]).toEqual(["absolute", 30]);
    store.undo();
    expect([fake.get("threshold"), store.history.canUndo]).toEqual([100, false]);
    store.redo();
    store.redo();
    expect([fake.get("sign"), fake.get("threshold"), store.history.canRedo]).toEqual(["signed", 30, false]);
  });

  it("brings back the map that was looked at", () => {
    const { store } = join(fake);
    hold(2);
    store.choose({ index: 2 });
    store.undo();
    expect([fake.get("shown"), fake.get("class_index")]).toEqual(["gradient/logit/1", 1]);
  });

  it("forgets nothing of a gesture that changed nothing, and what could be redone when another begins", () => {
    const history = new History();
    history.note({ a: 1 });
    history.note({ a: 1 });
    expect(history.canUndo).toBe(false);
    history.note({ a: 2 });
    expect(history.undo()).toEqual({ a: 1 });
    history.note({ a: 3 });
    expect([history.canRedo, history.undo()]).toEqual([false, { a: 1 }]);
  });
});

describe("traits that another widget is linked to", () => {
  it("show a map that is here, once all that came together is set", () => {
    join(fake);
    const key = hold(2);
    fake.set("class_index", 2);
    expect(fake.get("shown")).toBe("gradient/logit/1");
    vi.runAllTimers();
    expect([fake.get("shown"), asked()]).toEqual([key, []]);
  });
});
