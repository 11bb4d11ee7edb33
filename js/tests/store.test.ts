import { describe, expect, it } from "vitest";
import { FakeModel, gradientMap, headerFor, pack, single, wanted } from "../dev/fake";
import { type HostModel, Model } from "../src/state/model";
import { join } from "../src/state/registry";

const SHAPE = [3, 8, 8] as const;

function model(more: Record<string, unknown> = {}): FakeModel {
  const info = {
    classes: 10,
    prediction: [{ index: 1, label: "one", probability: 0.5 }],
    score_kind: "logit",
  };
  const fake = new FakeModel(
    single({ _info: info, _labels: [], _maps: [], shown: "", sign: "absolute", ...more }),
  );
  hold(fake, 1, 0);
  fake.set("shown", "gradient/logit/1");
  return fake;
}

function hold(fake: FakeModel, index: number, slot: number): string {
  const { bytes, scale } = pack(gradientMap(SHAPE, index));
  fake.set(`_slot_${slot}`, new DataView(bytes.buffer));
  const header = headerFor(index, `class ${index}`, SHAPE, scale, slot);
  fake.set("_maps", [...(fake.get("_maps") as unknown[]), header]);
  return header.key;
}

/** Hosts give each view a proxy of its own. */
function proxy(fake: FakeModel): HostModel {
  return {
    get: fake.get.bind(fake),
    set: fake.set.bind(fake),
    save_changes: fake.save_changes.bind(fake),
    on: fake.on.bind(fake),
    off: fake.off.bind(fake),
    send: fake.send.bind(fake),
  };
}

const requests = (fake: FakeModel) => fake.sent.filter((one) => (one as { kind: string }).kind === "request");
const reqOf = (fake: FakeModel) => (requests(fake).at(-1) as { req: string }).req;

const fail: () => never = () => {
  throw new Error("not here");
};

describe("another picture where there is no kernel", () => {
  // Its likely classes are others, so that no map of it is of the class that is looked at.
  const maps = [
    ["gradient", 4],
    ["grad-cam", 5],
    ["grad-cam", 6],
  ] as const;

  function page() {
    const fake = model({ _info: { images: ["a", "b"], classes: 10 } });
    for (const [at, [method, index]] of maps.entries()) {
      hold(fake, index, at + 1);
      const headers = fake.get("_maps") as { image: number; key: string; method: object }[];
      const own = {
        key: `b/${method}/${index}`,
        image: 1,
        method: { name: method, label: method, parameters: {} },
      };
      fake.set("_maps", [...headers.slice(0, -1), { ...headers.at(-1)!, ...own }]);
    }
    return { fake, alone: { ...proxy(fake), send: undefined } as unknown as HostModel };
  }

  it("is shown by the first of its maps that is of the same method, and can be left again", () => {
    const { fake, alone } = page();
    const { store } = join(alone);
    expect(store.can({ image: 1 })).toBe(true);
    store.choose({ image: 1 });
    expect(fake.get("shown")).toBe("b/gradient/4");
    store.choose({ method: "grad-cam", index: 6 });
    store.choose({ image: 0 });
    expect(fake.get("shown")).toBe("gradient/logit/1");
  });

  it("is asked for as it is where there is one", () => {
    const { fake } = page();
    const { store } = join(fake);
    expect(store.like({ image: 1 }).target.index).toBe(1);
  });

  it("stays away where there is no map of it, and another class is not put for the one that is wanted", () => {
    const { store } = join(page().alone);
    expect([store.can({ image: 2 }), store.can({ model: 1 }), store.can({ index: 4 })]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe("a class", () => {
  it("that is held is shown at once, with one save and no message", () => {
    const fake = model();
    const key = hold(fake, 2, 1);
    const { store } = join(fake);
    fake.saves = 0;
    store.choose({ index: 2 });
    expect([fake.get("shown"), fake.saves, fake.sent]).toEqual([key, 1, []]);
  });

  it("whose map was lost on its way, so that only its header is here, is not held", () => {
    const fake = model();
    hold(fake, 2, 1);
    const { store } = join(fake);
    for (const nothing of [new DataView(new ArrayBuffer(0)), new Uint8Array(), "", null, undefined]) {
      fake.set("_slot_1", nothing);
      expect(store.heldAs({ index: 2 })).toBeNull();
    }
    store.choose({ index: 2 });
    expect([fake.get("shown"), requests(fake).length]).toEqual(["gradient/logit/1", 1]);
    fake.set("_slot_1", "AAAA");
    expect(store.heldAs({ index: 2 })).not.toBeNull();
  });

  it("that is not held is asked for, and shown when it is here", () => {
    const fake = model();
    const { store } = join(fake);
    store.choose({ index: 3 });
    expect(requests(fake)).toMatchObject([
      { want: { method: "gradient", target: { kind: "logit", index: 3 } } },
    ]);
    expect(fake.get("shown")).toBe("gradient/logit/1");
    const key = hold(fake, 3, 1);
    fake.saves = 0;
    const done = { kind: "done", req: reqOf(fake), key };
    fake.reply(done);
    fake.reply(done);
    expect([fake.get("shown"), fake.saves, store.wanted]).toEqual([key, 1, null]);
  });

  it("is shown also when the reply overtakes the map", () => {
    const fake = model();
    const { store } = join(fake);
    store.choose({ index: 3 });
    fake.reply({ kind: "done", req: reqOf(fake), key: "gradient/logit/3" });
    expect(store.traits.shown).toBe("gradient/logit/1");
    hold(fake, 3, 1);
    expect(store.traits.shown).toBe("gradient/logit/3");
  });

  it("is not forced on someone who has gone on", () => {
    const fake = model();
    const { store } = join(fake);
    store.choose({ index: 3 });
    const req = reqOf(fake);
    store.choose({ index: 1 });
    hold(fake, 3, 1);
    fake.reply({ kind: "done", req, key: "gradient/logit/3" });
    expect(store.traits.shown).toBe("gradient/logit/1");
    store.choose({ index: 4 });
    fake.set("shown", "gradient/logit/3");
    hold(fake, 4, 2);
    fake.reply({ kind: "done", req: reqOf(fake), key: "gradient/logit/4" });
    expect(store.traits.shown).toBe("gradient/logit/3");
  });

  it("that fails says so until something else is chosen, and once only", () => {
    const fake = model();
    const { store } = join(fake);
    store.choose({ index: 3 });
    const said = { message: "no memory", traceback: "line 1" };
    fake.reply({ kind: "error", req: reqOf(fake), ...said });
    fake.set("_status", { state: "error", want: null, ...said });
    expect(store.trouble).toEqual({ of: "class 3", ...said });
    expect(store.traits.shown).toBe("gradient/logit/1");
    store.choose({ index: 1 });
    expect([store.trouble, store.statusTrouble]).toEqual([null, null]);
    fake.set("_status", { state: "computing", want: null, message: "", traceback: "" });
    fake.set("_status", { state: "error", want: null, ...said });
    expect(store.statusTrouble).toMatchObject(said);
  });
});

describe("an error", () => {
  const failed = {
    state: "error",
    want: { key: "gradient/logit/3", text: "logit of three" },
    message: "no memory",
    traceback: "",
  };

  it("says what it is about, also where Python tells of it", () => {
    const { store } = join(model({ _status: failed }));
    expect(store.statusTrouble).toEqual({ of: "the logit of three", message: "no memory", traceback: "" });
  });

  it("does not stand over a map that Python chose after it", () => {
    const fake = model();
    const key = hold(fake, 2, 1);
    const { store } = join(fake);
    store.choose({ index: 3 });
    fake.reply({ kind: "error", req: reqOf(fake), message: "no memory", traceback: "" });
    fake.set("_status", failed);
    expect(store.trouble).not.toBeNull();
    fake.set("shown", key);
    expect([store.trouble, store.statusTrouble]).toEqual([null, null]);
  });
});

function running(req: string, index: number, more: Record<string, unknown> = {}) {
  const want = { ...wanted(index, more), key: `k ${req}`, text: `logit of class ${index}`, req };
  return { state: "computing", want, message: "", traceback: "" };
}

const IDLE = { state: "idle", want: null, message: "", traceback: "" };

function partialOf(req: string, index: number, seq: number) {
  return {
    kind: "partial",
    req,
    seq,
    done: seq,
    total: 50,
    seconds: 1,
    header: headerFor(index, "c", SHAPE, 1),
  };
}

describe("a run that Python starts", () => {
  it("is followed by every view, with how far it is and its partial maps", () => {
    const fake = model();
    const [one, two] = [join(proxy(fake)).store, join(proxy(fake)).store];
    fake.set("_status", running("p1", 3));
    fake.reply(partialOf("p1", 3, 4), [new Uint8Array(384)]);
    for (const { protocol, partial, wanted } of [one, two]) {
      expect([protocol.flight!.done, protocol.flight!.total, protocol.flight!.seconds]).toEqual([4, 50, 1]);
      expect([partial?.header.key, wanted?.target.index]).toEqual(["gradient/logit/3", 3]);
    }
    expect(requests(fake)).toEqual([]);
  });

  it("is found by a page that is opened later", () => {
    const { store } = join(model({ _status: running("p1", 3) }));
    expect(store.protocol.flight).toMatchObject({ req: "p1", label: "class 3", phase: "computing" });
  });

  it("is what the next choice is made from", () => {
    const fake = model({ _status: running("p1", 3, { method: "smoothgrad", parameters: { samples: 9 } }) });
    const { store } = join(fake);
    store.choose({ index: 5 });
    expect(requests(fake)).toMatchObject([
      { want: { method: "smoothgrad", parameters: { samples: 9 }, target: { index: 5 } } },
    ]);
  });

  it("keeps what there is when it is stopped here, and goes on as a request", () => {
    const fake = model();
    const { store } = join(fake);
    fake.set("_status", running("p1", 3));
    fake.reply(partialOf("p1", 3, 4), [new Uint8Array(384)]);
    store.stop();
    expect(fake.sent.at(-1)).toEqual({ v: 1, kind: "cancel", req: "p1", keep: true });
    expect(store.partial, "until what is kept is here").not.toBeNull();
    const key = hold(fake, 3, 1);
    fake.set("_status", IDLE);
    fake.set("shown", key);
    fake.reply({ kind: "cancelled", req: "p1", reason: "stopped", key });
    expect([store.traits.shown, store.partial, store.protocol.flight]).toEqual([key, null, null]);
    store.goOn();
    expect(requests(fake)).toMatchObject([{ want: { target: { index: 3 } } }]);
  });

  it("is shown by Python and not by the page, and leaves nothing behind", () => {
    const fake = model();
    const { store } = join(fake);
    fake.set("_status", running("p1", 3));
    fake.reply(partialOf("p1", 3, 4), [new Uint8Array(384)]);
    const key = hold(fake, 3, 1);
    fake.set("_status", IDLE);
    fake.saves = 0;
    fake.reply({ kind: "done", req: "p1", key });
    expect([fake.get("shown"), fake.saves, store.partial, store.wanted]).toEqual([
      "gradient/logit/1",
      0,
      null,
      null,
    ]);
  });

  it("shows the same map also to somebody who asked for it here meanwhile", () => {
    const fake = model();
    const { store } = join(fake);
    fake.set("_status", running("p1", 3));
    store.choose({ index: 3 });
    expect(requests(fake)).toEqual([]);
    const key = hold(fake, 3, 1);
    fake.set("_status", IDLE);
    fake.reply({ kind: "done", req: "p1", key });
    expect(fake.get("shown")).toBe(key);
  });

  it("waits until what was asked for here has been answered, and is then followed", async () => {
    const fake = model();
    const { store } = join(fake);
    store.choose({ index: 3 });
    const req = reqOf(fake);
    fake.set("_status", running("p1", 4));
    expect(store.protocol.flight?.req).toBe(req);
    fake.reply({ kind: "cancelled", req, reason: "a newer request took its place", key: "" });
    await new Promise((resolve) => setTimeout(resolve));
    expect(store.protocol.flight?.req).toBe("p1");
  });

  it("does not make way for a further panel of this page", async () => {
    const fake = model({ panels: [wanted(5)] });
    const { store } = join(fake);
    fake.set("_status", running("p1", 4));
    fake.set("panels", [wanted(6)]);
    expect(requests(fake)).toEqual([]);
    const key = hold(fake, 4, 1);
    fake.set("_status", IDLE);
    fake.reply({ kind: "done", req: "p1", key });
    await new Promise((resolve) => setTimeout(resolve));
    expect(requests(fake)).toMatchObject([{ want: { target: { index: 6 } } }]);
    expect(store.protocol.flight?.aside).toBe(true);
  });

  it("is not followed where there is nobody who could be asked", () => {
    const fake = model({ _status: running("p1", 3) });
    const { send, ...rest } = proxy(fake);
    expect(send).toBeDefined();
    const { store } = join(rest);
    expect(store.protocol.flight).toBeNull();
  });

  it("ends with the kernel", () => {
    const fake = model();
    const { store } = join(fake);
    fake.set("_status", running("p1", 3));
    fake.emit("comm_live_update");
    expect([store.gone, store.protocol.flight, store.wanted]).toEqual([true, null, null]);
  });
});

describe("stopping", () => {
  it("cancels one's own request by its name, and what else is computed by a star", () => {
    const fake = model({ _status: { state: "computing", want: { key: "k", text: "logit of lynx" } } });
    const { store } = join(fake);
    store.stop();
    expect(fake.sent).toEqual([{ v: 1, kind: "cancel", req: "*", keep: true }]);
    store.choose({ index: 3 });
    store.stop();
    expect(fake.sent.at(-1)).toEqual({ v: 1, kind: "cancel", req: reqOf(fake), keep: true });
  });
});

describe("what was looked at", () => {
  it("is remembered, the latest first, whoever chose it", () => {
    const fake = model();
    const key = hold(fake, 2, 1);
    const { store } = join(fake);
    store.choose({ index: 3 });
    fake.set("shown", key);
    store.choose({ index: 1 });
    store.choose({ index: 3 });
    expect(store.recent.order()).toEqual([3, 1, 2]);
  });
});

describe("views of one model", () => {
  it("share a store, through proxies too, and other models do not", () => {
    const fake = model();
    const first = join(proxy(fake));
    const second = join(proxy(fake));
    const other = join(proxy(model()));
    expect(second.store).toBe(first.store);
    expect(other.store).not.toBe(first.store);
    first.leave();
    second.store.choose({ index: 3 });
    expect(requests(fake)).toHaveLength(1);
    const partial = { kind: "partial", req: reqOf(fake), seq: 0, header: headerFor(3, "c", SHAPE, 1) };
    fake.reply(partial, [new Uint8Array(384)]);
    expect(second.store.partial?.header.key).toBe("gradient/logit/3");
    second.leave();
    expect(fake.listening()).toBe(0);
    other.leave();
  });

  it("decode and sort a map once", () => {
    const fake = model();
    const { store } = join(fake);
    const loaded = store.load(store.traits.headers[0]!)!;
    expect(store.load(store.traits.headers[0]!)!.values).toBe(loaded.values);
    expect(store.maps.field(loaded, "signed")).toBe(
      store.maps.field(store.load(store.traits.headers[0]!)!, "signed"),
    );
    fake.set("_slot_0", new Uint8Array(384));
    expect(store.load(store.traits.headers[0]!)!.values).not.toBe(loaded.values);
    fake.set("_slot_0", new Uint8Array(3));
    expect(store.load(store.traits.headers[0]!)).toBeNull();
  });
});

describe("hosts", () => {
  const hosts: [string, HostModel][] = [
    ["nothing at all", {}],
    ["get alone", { get: () => undefined }],
    ["all that throws", { get: fail, set: fail, save_changes: fail, on: fail, off: fail, send: fail }],
  ];
  it.each(hosts)("with %s never raise", (_, raw) => {
    const { store, leave } = join(raw);
    store.set("sign", "signed");
    store.set("threshold", 5);
    store.choose({ index: 3 });
    store.stop();
    store.save();
    expect([
      store.traits.sign,
      store.traits.threshold,
      store.traits.opacity,
      store.traits.headers.length,
    ]).toEqual(["signed", 5, 0.6, 0]);
    expect([store.info.classes, store.traits.shown, store.traits.status.state]).toEqual([0, "", "idle"]);
    leave();
  });

  it("that cannot take a listener off are not heard any more all the same", () => {
    const fake = model();
    let heard = 0;
    const off = new Model({ ...proxy(fake), off: () => fail() }).on("change:sign", () => heard++);
    fake.set("sign", "signed");
    off();
    fake.set("sign", "absolute");
    expect(heard).toBe(1);
  });

  it("that swallow messages are known by the layout's model, and nothing is asked for", () => {
    const layout = { comm_live: false };
    const fake = model({ layout, _status: running("p1", 3) });
    const { store } = join(fake);
    expect([store.canAsk, store.traits.status.state, store.protocol.flight]).toEqual([false, "idle", null]);
    const key = hold(fake, 2, 1);
    store.choose({ index: 3 });
    store.choose({ index: 2 });
    expect([fake.sent, store.wanted, fake.get("shown")]).toEqual([[], null, key]);
    layout.comm_live = true;
    expect(store.canAsk).toBe(true);
  });

  it.each([[undefined], [null], ["IPY_MODEL_1234"], [{}], [{ comm_live: undefined }], [{ comm_live: true }]])(
    "whose layout is %j may have a kernel",
    (layout) => {
      expect(join(model({ layout })).store.canAsk).toBe(true);
    },
  );

  it("say when the kernel is gone, and a later word of it is believed", () => {
    const fake = model();
    const { store } = join(fake);
    store.choose({ index: 3 });
    fake.emit("comm_live_update");
    expect([store.gone, store.wanted]).toEqual([true, null]);
    fake.set("_status", { state: "computing" });
    expect(store.gone).toBe(false);
    expect(store.canAsk).toBe(true);
    fake.send = () => fail();
    store.choose({ index: 3 });
    expect([store.gone, store.canAsk]).toEqual([true, false]);
    store.choose({ index: 4 });
    expect(store.wanted).toBeNull();
    fake.reply({ kind: "progress", req: "of somebody else", done: 1, total: 2 });
    expect([store.gone, store.canAsk]).toEqual([false, true]);
  });

  it("may give anything for a trait", () => {
    for (const junk of [null, 3, "x", [], {}, [null, 3], Number.NaN, { state: 7, want: 3 }]) {
      const fake = model();
      const { store } = join(fake);
      for (const name of Object.keys(fake.state)) fake.set(name, junk);
      expect(["absolute", "signed"]).toContain(store.traits.sign);
      for (const value of [store.traits.threshold, store.traits.opacity, store.traits.clip])
        expect(Number.isFinite(value)).toBe(true);
      void [
        store.traits.headers,
        store.traits.labels(store.info).find("a", 5),
        store.traits.status,
        store.statusTrouble,
        store.traits.shown,
        store.traits.info,
      ];
    }
  });
});
