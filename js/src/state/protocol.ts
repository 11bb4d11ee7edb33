import { parseReply, type Reply } from "./messages";
import { same, type Want } from "./want";

/** sent: no answer yet. waiting: none for a second. computing: accepted. stopping: told to stop. */
export type Phase = "sent" | "waiting" | "computing" | "stopping";

export interface Ask {
  readonly want: Want;
  /** What is asked for, in words. */
  readonly label: string;
  /** For a further panel: it waits for whatever is asked for to be shown, here or by anybody else. */
  readonly aside?: boolean;
}

export interface Flight extends Ask {
  readonly req: string;
  readonly seq: number;
  phase: Phase;
  done: number;
  total: number;
  /** Since it began; null where the kernel does not say. */
  seconds: number | null;
  partial: number;
  /** Whether the best map so far is to be kept when it stops. */
  keep: boolean;
  /** Python began it, and shows it: it is looked at, and may be stopped, but was not asked for here. */
  readonly followed: boolean;
}

/** A run of Python's own, as it announces itself. */
export interface Run {
  readonly req: string;
  readonly want: Want;
}

export type Outcome =
  | { kind: "done"; key: string }
  | { kind: "cancelled"; reason: string; key: string }
  | { kind: "error"; message: string; traceback: string }
  | { kind: "gone" };

export type Partial = Extract<Reply, { kind: "partial" }>;

export interface Ends {
  send(content: unknown): boolean;
  /** Runs `action` after some time; returns what calls it off. */
  later(milliseconds: number, action: () => void): () => void;
  /** Runs `action` when what has just come is drawn, or cannot be seen; tells which. */
  drawn(action: (visible: boolean) => void): void;
  changed(): void;
  partial(partial: Partial): void;
  /** Called exactly once for each request that was sent, and for each run that was followed. */
  ended(flight: Flight, outcome: Outcome): void;
}

export const SILENCE = 1000;
export const GIVE_UP = 5000;

const NO_ANSWER: Outcome = { kind: "cancelled", reason: "no answer", key: "" };
const GAVE_WAY: Outcome = { kind: "cancelled", reason: "something newer took its place", key: "" };

/**
 * One request in flight and one that waits for it; the latest wins. Where nothing was asked for here, it follows the run that
 * Python announces. Knows no DOM and no clock of its own.
 */
export class Protocol {
  flight: Flight | null = null;
  pending: Ask | null = null;
  #seq = 0;
  #calledOff: (() => void)[] = [];
  /** The run whose end was told last: where its announcement is still there, it is late. */
  #over = "";
  /** Whether it was said that nobody can see what comes, so that no more comes. */
  #unseen = false;
  readonly #name = Math.random().toString(36).slice(2, 10);

  constructor(
    readonly ends: Ends,
    // Python drops what is older than the newest it has seen, so that a reloaded page must not begin at 1 again.
    readonly now: () => number = Date.now,
  ) {}

  request(ask: Ask): void {
    const flight = this.flight;
    if (!flight) this.#send(ask);
    else if (flight.phase !== "stopping" && !flight.aside && same(flight.want, ask.want)) this.pending = null;
    else if (flight.followed || flight.aside) {
      // It gives way in the kernel.
      this.#end(flight, GAVE_WAY);
      this.#send(ask);
    } else {
      this.pending = ask;
      this.#cancel(flight);
    }
    this.ends.changed();
  }

  /** Hears what run of its own Python announces; null is none. What was asked for here comes first. */
  follow(run: Run | null, label = ""): void {
    const { flight } = this;
    // What waits beside is asked for again when the run has ended.
    if (flight?.aside) {
      if (!run || run.req === this.#over) return;
    } else if (flight && (!flight.followed || flight.req === run?.req)) return;
    if (flight && !run) {
      // Its end is told next, unless that is lost.
      this.#after(SILENCE, () => this.#end(flight, NO_ANSWER));
      return;
    }
    if (flight) this.#end(flight, GAVE_WAY);
    if (!run || this.flight || run.req === this.#over) return;
    this.flight = begun({ want: run.want, label }, run.req, 0, true);
    this.ends.changed();
  }

  /** What came while nobody could see it can be seen now. */
  seen(): void {
    const { flight } = this;
    if (flight && this.#unseen) this.#acknowledge(flight.req, Math.max(flight.partial, 0), true);
  }

  /** `keep` asks for the best map so far. */
  stop(keep = false): void {
    this.pending = null;
    if (this.flight) this.#cancel(this.flight, keep);
    this.ends.changed();
  }

  /** The host says that there is no kernel any more. */
  gone(): void {
    this.pending = null;
    if (this.flight) this.#end(this.flight, { kind: "gone" });
    this.ends.changed();
  }

  /** Takes any message; whether it was one for the request in flight. */
  receive(content: unknown, buffers?: unknown): boolean {
    const reply = parseReply(content, buffers);
    const flight = this.flight;
    if (!reply || !flight || reply.req !== flight.req) return false;
    switch (reply.kind) {
      case "accepted":
        accept(flight);
        break;
      case "progress":
        accept(flight);
        flight.done = reply.done;
        flight.total = reply.total;
        flight.seconds = reply.seconds;
        break;
      case "partial":
        this.#partial(flight, reply);
        break;
      case "tile":
        return false;
      default:
        this.#over = flight.req;
        this.#end(flight, reply);
    }
    this.ends.changed();
    return true;
  }

  dispose(): void {
    this.#quiet();
    this.flight = null;
    this.pending = null;
  }

  #partial(flight: Flight, reply: Partial): void {
    if (reply.seq <= flight.partial) return;
    accept(flight);
    flight.partial = reply.seq;
    flight.done = reply.done;
    flight.total = reply.total;
    flight.seconds = reply.seconds;
    if (flight.phase !== "stopping") this.ends.partial(reply);
    this.ends.drawn((visible) => this.#acknowledge(reply.req, reply.seq, visible));
  }

  #acknowledge(req: string, seq: number, visible: boolean): void {
    this.#unseen = !visible;
    this.ends.send({ v: 1, kind: "ack", req, seq, visible, page: this.#name });
  }

  #send(ask: Ask): void {
    this.#seq = Math.max(this.#seq + 1, this.now());
    const req = `${this.#name}-${this.#seq}`;
    const flight = begun(ask, req, this.#seq, false);
    this.flight = flight;
    if (!this.ends.send({ v: 1, kind: "request", req, seq: flight.seq, want: ask.want, aside: ask.aside })) {
      this.#end(flight, { kind: "gone" });
      return;
    }
    this.#after(SILENCE, () => {
      if (flight.phase === "sent") flight.phase = "waiting";
    });
  }

  #cancel(flight: Flight, keep = false): void {
    if (flight.phase === "stopping") return;
    flight.keep = keep;
    const { phase } = flight;
    flight.phase = "stopping";
    if (!this.ends.send({ v: 1, kind: "cancel", req: flight.req, keep })) {
      this.pending = null;
      this.#end(flight, { kind: "gone" });
      return;
    }
    // A busy kernel answers when its cell ends, a lost reply never comes: neither may hold up what is wanted now, least of
    // all where the kernel has not even said that it heard.
    const giveUp = () => this.#end(flight, NO_ANSWER);
    if (phase === "waiting") giveUp();
    else this.#after(phase === "sent" ? SILENCE : GIVE_UP, giveUp);
  }

  #end(flight: Flight, outcome: Outcome): void {
    if (this.flight !== flight) return;
    this.#quiet();
    this.flight = null;
    const next = this.pending;
    this.pending = null;
    this.ends.ended(flight, outcome);
    // What is told of the end may have asked for something newer.
    if (next && !this.flight && outcome.kind !== "gone") this.#send(next);
  }

  #after(milliseconds: number, action: () => void): void {
    const flight = this.flight;
    this.#calledOff.push(
      this.ends.later(milliseconds, () => {
        if (this.flight !== flight) return;
        action();
        this.ends.changed();
      }),
    );
  }

  #quiet(): void {
    for (const off of this.#calledOff) off();
    this.#calledOff = [];
  }
}

function begun(ask: Ask, req: string, seq: number, followed: boolean): Flight {
  const phase = followed ? "computing" : "sent";
  return { ...ask, req, seq, followed, phase, done: 0, total: 0, seconds: null, partial: -1, keep: false };
}

function accept(flight: Flight): void {
  if (flight.phase === "sent" || flight.phase === "waiting") flight.phase = "computing";
}
