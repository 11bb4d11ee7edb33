import { beforeEach, describe, expect, it } from "vitest";
import { headerFor, random, wanted } from "../dev/fake";
import {
  type Ask,
  type Ends,
  type Flight,
  GIVE_UP,
  type Outcome,
  Protocol,
  SILENCE,
} from "../src/state/protocol";

type Sent = {
  kind: string;
  req: string;
  seq?: number;
  visible?: boolean;
  page?: string;
  keep?: boolean;
  aside?: boolean;
};

class World implements Ends {
  sent: Sent[] = [];
  ends: { req: string; kind: string }[] = [];
  partials = 0;
  alive = true;
  visible = true;
  timers: { at: number; action: () => void }[] = [];
  time = 0;
  protocol = new Protocol(this, () => 100);

  send(content: unknown): boolean {
    if (this.alive) this.sent.push(content as Sent);
    return this.alive;
  }
  later(milliseconds: number, action: () => void): () => void {
    const timer = { at: this.time + milliseconds, action };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }
  pass(milliseconds: number): void {
    this.time += milliseconds;
    const due = this.timers.filter((one) => one.at <= this.time);
    this.timers = this.timers.filter((one) => one.at > this.time);
    for (const one of due) one.action();
  }
  drawn(action: (visible: boolean) => void): void {
    action(this.visible);
  }
  changed(): void {}
  partial(): void {
    this.partials++;
  }
  ended(flight: Flight, outcome: Outcome): void {
    this.ends.push({ req: flight.req, kind: outcome.kind });
  }

  ask(index: number, aside = false): void {
    const ask: Ask = {
      want: wanted(index),
      label: `class ${index}`,
    };
    this.protocol.request(aside ? { ...ask, aside } : ask);
  }
  get req(): string {
    return this.protocol.flight!.req;
  }
}

const BYTES = [new Uint8Array(8)];
const partial = (req: string, seq: number) => ({
  kind: "partial",
  req,
  seq,
  done: seq,
  total: 9,
  header: headerFor(1, "a", [1, 2, 2], 1),
});

let world: World;
beforeEach(() => {
  world = new World();
});

describe("one request", () => {
  it("is sent with a req and a seq and no id, and ends once", () => {
    world.ask(1);
    expect(world.sent).toEqual([
      {
        v: 1,
        kind: "request",
        req: world.req,
        seq: 101 - 1,
        want: wanted(1),
      },
    ]);
    const { req } = world;
    world.protocol.receive({ kind: "accepted", req });
    world.protocol.receive({ kind: "done", req, key: "k" });
    world.protocol.receive({ kind: "done", req, key: "k" });
    world.protocol.receive({ kind: "error", req, message: "late" });
    expect(world.ends).toEqual([{ req, kind: "done" }]);
  });

  // What the state is, what comes, and what the state is then.
  it.each([
    ["sent", "accepted", "computing"],
    ["sent", "progress", "computing"],
    ["sent", "partial", "computing"],
    ["sent", "done", null],
    ["sent", "cancelled", null],
    ["sent", "error", null],
    ["waiting", "accepted", "computing"],
    ["waiting", "progress", "computing"],
    ["waiting", "partial", "computing"],
    ["waiting", "done", null],
    ["waiting", "cancelled", null],
    ["waiting", "error", null],
    ["computing", "accepted", "computing"],
    ["computing", "progress", "computing"],
    ["computing", "partial", "computing"],
    ["computing", "done", null],
    ["computing", "cancelled", null],
    ["computing", "error", null],
    ["stopping", "accepted", "stopping"],
    ["stopping", "progress", "stopping"],
    ["stopping", "partial", "stopping"],
    ["stopping", "done", null],
    ["stopping", "cancelled", null],
    ["stopping", "error", null],
  ])("%s, %s: %s", (state, kind, after) => {
    world.ask(1);
    const { req } = world;
    if (state === "waiting") world.pass(SILENCE);
    if (state === "computing") world.protocol.receive({ kind: "accepted", req });
    if (state === "stopping") world.protocol.stop();
    expect(world.protocol.flight?.phase).toBe(state);
    const message =
      kind === "partial" ? partial(req, 1) : { kind, req, done: 1, total: 2, key: "k", message: "m" };
    world.protocol.receive(message, BYTES);
    expect(world.protocol.flight?.phase ?? null).toBe(after);
    expect(world.ends).toHaveLength(after ? 0 : 1);
    expect(world.partials).toBe(kind === "partial" && state !== "stopping" ? 1 : 0);
    world.pass(100_000);
    expect(world.ends.length).toBeLessThanOrEqual(1);
  });

  it("tells the kernel when what nobody could see can be seen, and only then", () => {
    world.protocol.seen();
    world.ask(1);
    const { req } = world;
    world.protocol.receive(partial(req, 4), BYTES);
    world.protocol.seen();
    world.visible = false;
    world.protocol.receive(partial(req, 5), BYTES);
    world.protocol.seen();
    world.protocol.seen();
    const acks = world.sent.filter((one) => one.kind === "ack");
    expect(acks.map((one) => [one.seq, one.visible])).toEqual([
      [4, true],
      [5, false],
      [5, true],
    ]);
    expect(new Set(acks.map((one) => one.page)).size).toBe(1);
  });

  it("acknowledges each partial once and takes none out of order", () => {
    world.ask(1);
    const { req } = world;
    for (const seq of [0, 2, 1, 2, 3]) world.protocol.receive(partial(req, seq), BYTES);
    const acks = world.sent.filter((one) => one.kind === "ack");
    expect(acks.map((one) => [one.seq, one.visible])).toEqual([
      [0, true],
      [2, true],
      [3, true],
    ]);
    expect(world.partials).toBe(3);
  });

  it("ends when the kernel goes, or is gone already", () => {
    world.ask(1);
    world.ask(2);
    world.protocol.gone();
    expect(world.ends.map((one) => one.kind)).toEqual(["gone"]);
    world.alive = false;
    world.ask(3);
    expect(world.ends.map((one) => one.kind)).toEqual(["gone", "gone"]);
    expect(world.protocol.flight).toBeNull();
  });
});

const run = (req: string, index = 7) => ({ req, want: wanted(index) });

describe("a run that Python announces", () => {
  // What is in flight here, what is announced, what is in flight then.
  it.each([
    ["nothing", "p1", "p1"],
    ["nothing", null, null],
    ["p1", "p1", "p1"],
    ["p1", "p2", "p2"],
    ["own, sent", "p1", "own"],
    ["own, waiting", "p1", "own"],
    ["own, computing", "p1", "own"],
    ["own, stopping", "p1", "own"],
    ["own, computing", null, "own"],
    ["aside, computing", "p1", "p1"],
    ["aside, computing", null, "own"],
  ])("%s, %s: %s", (before, announced, after) => {
    if (before === "p1") world.protocol.follow(run("p1"));
    else if (before !== "nothing") world.ask(1, before.startsWith("aside"));
    const own = world.protocol.flight?.req ?? "";
    if (before === "own, waiting") world.pass(SILENCE);
    if (before.endsWith("computing")) world.protocol.receive({ kind: "accepted", req: own });
    if (before === "own, stopping") world.protocol.stop();
    const sent = world.sent.length;
    world.protocol.follow(announced === null ? null : run(announced));
    expect(world.protocol.flight?.req ?? null).toBe(after === "own" ? own : after);
    expect(world.sent).toHaveLength(sent);
  });

  // The messages that may come under its name, and whether it is followed on.
  it.each([
    ["accepted", "computing"],
    ["progress", "computing"],
    ["partial", "computing"],
    ["done", null],
    ["cancelled", null],
    ["error", null],
    ["nonsense", "computing"],
  ])("%s: %s", (kind, after) => {
    world.protocol.follow(run("p1"));
    const more = { req: "p1", done: 3, total: 9, seconds: 0.5, key: "k", message: "m" };
    world.protocol.receive(kind === "partial" ? partial("p1", 3) : { kind, ...more }, BYTES);
    expect(world.protocol.flight?.phase ?? null).toBe(after);
    expect(world.partials).toBe(kind === "partial" ? 1 : 0);
    if (kind === "progress" || kind === "partial") {
      expect([world.protocol.flight!.done, world.protocol.flight!.total]).toEqual([3, 9]);
    }
    expect(world.sent.map((one) => one.kind)).toEqual(kind === "partial" ? ["ack"] : []);
    if (after !== null) return;
    expect(world.ends).toEqual([{ req: "p1", kind }]);
    // Its announcement may be taken back later than its end is told.
    world.protocol.follow(run("p1"));
    expect(world.protocol.flight).toBeNull();
  });

  it("is no longer heard of when a newer one is announced", () => {
    world.protocol.follow(run("p1"));
    world.protocol.follow(run("p2"));
    world.protocol.receive(partial("p1", 1), BYTES);
    world.protocol.receive({ kind: "done", req: "p1", key: "k" });
    expect([world.partials, world.protocol.flight?.req]).toEqual([0, "p2"]);
    expect(world.ends).toEqual([{ req: "p1", kind: "cancelled" }]);
  });

  it("is stopped by its name, and ends when that is answered or when nothing comes", () => {
    world.protocol.follow(run("p1"));
    world.protocol.stop(true);
    expect(world.sent).toEqual([{ v: 1, kind: "cancel", req: "p1", keep: true }]);
    expect(world.protocol.flight?.phase).toBe("stopping");
    world.pass(GIVE_UP);
    expect(world.ends).toEqual([{ req: "p1", kind: "cancelled" }]);
  });

  it("gives way at once to what is asked for here, but not to the same map", () => {
    world.protocol.follow(run("p1", 7));
    world.ask(7);
    expect(world.sent).toEqual([]);
    world.ask(1);
    expect(world.sent.map((one) => one.kind)).toEqual(["request"]);
    expect(world.ends).toEqual([{ req: "p1", kind: "cancelled" }]);
    world.protocol.receive(partial("p1", 1), BYTES);
    expect(world.partials).toBe(0);
  });

  it("is over a moment after it is announced no more, also where its end was lost", () => {
    world.protocol.follow(run("p1"));
    world.protocol.follow(null);
    expect(world.protocol.flight?.req).toBe("p1");
    world.pass(SILENCE);
    expect(world.protocol.flight).toBeNull();
    world.protocol.follow(run("p2"));
    world.protocol.gone();
    expect(world.ends.map((one) => one.kind)).toEqual(["cancelled", "gone"]);
  });
});

describe("latest wins", () => {
  it("cancels once, and sends only the last that was asked for", () => {
    world.ask(1);
    const first = world.req;
    world.ask(2);
    world.ask(3);
    expect(world.sent.map((one) => one.kind)).toEqual(["request", "cancel"]);
    world.protocol.receive({ kind: "cancelled", req: first, reason: "" });
    expect(world.protocol.flight?.want.target.index).toBe(3);
    expect(world.protocol.flight!.seq).toBeGreaterThan(100);
    expect(world.protocol.pending).toBeNull();
  });

  it("does not ask again for what is in flight", () => {
    world.ask(1);
    world.ask(1);
    expect(world.sent).toHaveLength(1);
  });

  it("does not let what is asked for aside hold up anything, be it the same map", () => {
    for (const index of [1, 2]) {
      world.ask(1, true);
      const { req } = world;
      world.ask(index);
      expect(world.sent.map((one) => [one.kind, one.aside])).toEqual([
        ["request", true],
        ["request", undefined],
      ]);
      expect(world.ends).toEqual([{ req, kind: "cancelled" }]);
      world = new World();
    }
  });

  it("goes on when the one that was cancelled is never heard of again", () => {
    world.ask(1);
    world.protocol.receive({ kind: "accepted", req: world.req });
    world.ask(2);
    world.pass(GIVE_UP - 1);
    expect(world.ends).toEqual([]);
    world.pass(1);
    expect(world.ends).toEqual([{ req: world.sent[0]!.req, kind: "cancelled" }]);
    expect(world.protocol.flight?.want.target.index).toBe(2);
  });

  it("waits only as long for a kernel that has not even said that it heard", () => {
    world.ask(1);
    world.ask(2);
    world.pass(SILENCE);
    expect(world.protocol.flight?.want.target.index).toBe(2);
    world.pass(SILENCE);
    expect(world.protocol.flight?.phase).toBe("waiting");
    world.ask(3);
    expect(world.protocol.flight?.want.target.index).toBe(3);
    expect(world.sent.map((one) => one.kind)).toEqual(["request", "cancel", "request", "cancel", "request"]);
    expect(world.ends.map((one) => one.kind)).toEqual(["cancelled", "cancelled"]);
  });

  it("stops what is pending too", () => {
    world.ask(1);
    world.ask(2);
    world.protocol.stop();
    world.protocol.receive({ kind: "cancelled", req: world.req });
    expect(world.protocol.flight).toBeNull();
  });
});

describe("10,000 random messages", () => {
  it.each([1, 2, 3])("never throw, and every request ends once (%d)", (seed) => {
    const draw = random(seed);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(draw() * of.length)]!;
    const junk = [
      null,
      undefined,
      0,
      Number.NaN,
      -1,
      1e300,
      "",
      "x",
      [],
      {},
      true,
      { req: 1 },
      "9".repeat(9999),
    ];
    const kinds = ["accepted", "progress", "partial", "done", "cancelled", "error", "nonsense", 7, null];
    const old: string[] = ["never"];
    const followed: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      const dice = draw();
      if (dice < 0.05) world.ask(Math.floor(draw() * 4), !world.protocol.flight && draw() < 0.5);
      else if (dice < 0.07) world.protocol.stop();
      else if (dice < 0.08) world.pass(600);
      else if (dice < 0.09) world.protocol.gone();
      else if (dice < 0.1) world.alive = draw() < 0.8;
      else if (dice < 0.14) {
        const name = pick([null, `python-${i}`, ...followed.slice(-2)]);
        if (name?.endsWith(`-${i}`)) followed.push(name);
        world.protocol.follow(name === null ? null : run(name, Math.floor(draw() * 4)));
      } else if (dice < 0.15) world.protocol.seen();
      else if (dice < 0.2) world.protocol.receive(pick(junk), pick(junk));
      else {
        const req = draw() < 0.5 && world.protocol.flight ? world.req : pick([...old, ...junk]);
        const message: Record<string, unknown> = {
          ...partial("", 0),
          kind: pick(kinds),
          req,
          seq: pick([0, 1, 5, ...junk]),
        };
        for (const name of ["done", "total", "key", "message", "header"])
          if (draw() < 0.2) message[name] = pick(junk);
        world.protocol.receive(message, draw() < 0.7 ? BYTES : pick(junk));
      }
      if (world.protocol.flight) old[i % 7] = world.req;
    }
    world.alive = true;
    world.protocol.stop();
    world.pass(GIVE_UP);
    const requests = world.sent.filter((one) => one.kind === "request").map((one) => one.req);
    expect(requests.length).toBeGreaterThan(20);
    for (const req of requests) expect(world.ends.filter((one) => one.req === req)).toHaveLength(1);
    expect(followed.length).toBeGreaterThan(20);
  });
});
