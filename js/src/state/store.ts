import type { Header } from "../map/header";
import { Audience } from "./audience";
import { type Loaded, MapCache } from "./maps";
import type { Want } from "./messages";
import type { Model } from "./model";
import { type Flight, keyOf, type Outcome, type Partial, Protocol } from "./protocol";
import { Recent } from "./recent";
import { FROM_PYTHON, Traits, type Trouble, VIEW } from "./traits";

/** Everything the views of one model share: its traits, the maps it holds, what is asked for, what went wrong. */
export class Store {
  readonly traits: Traits;
  readonly protocol: Protocol;
  readonly maps = new MapCache();
  readonly audience = new Audience();
  /** The last request's error; null when something else was chosen since. */
  trouble: Trouble | null = null;
  /** Whether the kernel is known to be gone; a word from it proves the contrary. */
  gone = false;
  partial: Partial | null = null;
  /** The class last asked for, until it is shown. */
  wanted: Want | null = null;
  readonly recent = new Recent();

  readonly #models = new Map<Model, (() => void)[]>();
  readonly #seen = new WeakSet<object>();
  #arrivesAs: string | null = null;
  #dismissed = "";
  #writing = false;

  constructor() {
    this.traits = new Traits(() => this.#model);
    this.protocol = new Protocol({
      send: (content) => this.#model?.send(content) ?? false,
      later: (milliseconds, action) => {
        const timer = setTimeout(action, milliseconds);
        return () => clearTimeout(timer);
      },
      drawn: (action) => this.audience.whenDrawn(action),
      changed: () => this.#changed(),
      partial: (partial) => {
        this.partial = partial;
      },
      ended: (flight, outcome) => this.#ended(flight, outcome),
    });
  }

  /** Hears a host's model until the returned function is called: each view of one model may have its own. */
  attach(model: Model): () => void {
    const offs = FROM_PYTHON.map((name) => model.on(`change:${name}`, () => this.#fromPython(name)));
    for (const name of VIEW) offs.push(model.on(`change:${name}`, () => this.#viewChanged(name)));
    offs.push(model.on("msg:custom", (content, buffers) => this.#message(content, buffers)));
    offs.push(
      model.on("comm_live_update", () => {
        this.gone = true;
        this.protocol.gone();
      }),
    );
    this.#models.set(model, offs);
    return () => {
      for (const off of this.#models.get(model) ?? []) off();
      this.#models.delete(model);
      if (this.#models.size === 0) this.protocol.dispose();
    };
  }

  get attached(): boolean {
    return this.#models.size > 0;
  }

  /** Whether `model` stands for the model of this store: hosts hand out a new proxy to each view, with the same values. */
  isOf(model: Model): boolean {
    const info = model.get("_info");
    return typeof info === "object" && info !== null && info === this.#model?.get("_info");
  }

  /** An error that Python tells of and that nothing was chosen after. */
  get statusTrouble(): Trouble | null {
    const { state, trouble } = this.traits.status;
    return state === "error" && trouble.message + trouble.traceback !== this.#dismissed ? trouble : null;
  }

  get canAsk(): boolean {
    return !this.gone && (this.#model?.canSend ?? false);
  }

  load(header: Header): Loaded | null {
    return header.slot === null ? null : this.maps.load(header, this.traits.bytes(header.slot));
  }

  /** A class as the map on display has it: the same method and kind of score. */
  want(index: number): Want {
    const { headers, info, shown } = this.traits;
    const like = this.traits.header(shown) ?? headers[0];
    return {
      // What was asked for last, even if it is not here yet.
      method: this.wanted?.method || like?.method.name || "gradient",
      target: { kind: like?.target.kind || info.scoreKind, index },
    };
  }

  held(index: number): Header | null {
    return this.heldAs(this.want(index));
  }

  /** The map that is wanted, if it is here. */
  heldAs({ method, target }: Want): Header | null {
    const found = this.traits.headers.find(
      (h) => h.method.name === method && h.target.kind === target.kind && h.target.index === target.index,
    );
    return found && this.traits.came(found) ? found : null;
  }

  /** Shows a class: at once if its map is here, else when Python has sent it. */
  choose(index: number): void {
    this.#ask(this.want(index), this.traits.labels.name(index));
  }

  /** The class that is looked at, or was asked for last; null where what is looked at is not one class. */
  get index(): number | null {
    const shown = this.traits.header(this.traits.shown) ?? this.traits.headers[0];
    return this.wanted?.target.index ?? shown?.target.index ?? null;
  }

  /** The same class by another method. */
  chooseMethod(method: string): void {
    const index = this.index;
    if (index === null) return;
    const known = this.traits.info.methods.find((one) => one.name === method);
    const label = `${this.traits.labels.name(index)} by ${known?.label ?? method}`;
    this.#ask({ ...this.want(index), method }, label);
  }

  #ask(want: Want, label: string): void {
    const held = this.heldAs(want);
    if (!held && !this.canAsk) return;
    this.#forgive();
    this.#arrivesAs = null;
    this.recent.note(want.target.index);
    if (held) {
      this.wanted = null;
      this.partial = null;
      if (this.protocol.flight || this.protocol.pending) this.protocol.stop();
      this.#show(held.key);
    } else {
      this.wanted = want;
      this.protocol.request({ want, label });
    }
    this.#changed();
  }

  /** Stops whatever is computed for somebody who waits, also what this page did not ask for itself. */
  stop(): void {
    this.wanted = null;
    this.partial = null;
    if (this.protocol.flight || this.protocol.pending) this.protocol.stop();
    else this.#model?.send({ v: 1, kind: "cancel", req: "*" });
    this.#changed();
  }

  /** Sets a choice of the view; `save` once a gesture. */
  set(name: string, value: unknown): void {
    this.#writing = true;
    this.traits.set(name, value);
    this.#writing = false;
    this.#changed();
  }

  save(): void {
    this.#model?.save();
  }

  get #model(): Model | undefined {
    let last: Model | undefined;
    for (const model of this.#models.keys()) last = model;
    return last;
  }

  #fromPython(name: string): void {
    this.gone = false;
    this.traits.heard(name);
    const { state } = this.traits.status;
    if (name === "_status" && state !== "error") {
      this.#dismissed = "";
      if (state === "computing") this.trouble = null;
    }
    if (name === "_maps" || name.startsWith("_slot")) this.#arrived();
    this.#changed();
  }

  #viewChanged(name: string): void {
    if (!this.#writing) {
      this.gone = false;
      this.traits.heard(name);
      if (name === "shown") {
        // Python, or another view of the notebook, chose later than the request in flight.
        this.wanted = null;
        this.#arrivesAs = null;
        this.partial = null;
        this.#forgive();
        const index = this.traits.header(this.traits.shown)?.target.index ?? null;
        if (index !== null) this.recent.note(index);
      }
    }
    this.#changed();
  }

  #message(content: unknown, buffers: unknown): void {
    // Each view of a model may be told of the same message.
    if (typeof content === "object" && content !== null) {
      if (this.#seen.has(content)) return;
      this.#seen.add(content);
    }
    const revived = this.gone;
    this.gone = false;
    if (!this.protocol.receive(content, buffers) && revived) this.#changed();
  }

  #ended(flight: Flight, outcome: Outcome): void {
    this.partial = null;
    const still = this.wanted !== null && keyOf(this.wanted) === keyOf(flight.want);
    switch (outcome.kind) {
      case "done":
        if (!still) return;
        this.#arrivesAs = outcome.key || keyOf(flight.want);
        this.#arrived();
        return;
      case "gone":
        this.gone = true;
        this.wanted = null;
        return;
      case "error":
        if (!still) return;
        this.wanted = null;
        this.trouble = { of: flight.label, message: outcome.message, traceback: outcome.traceback };
        return;
      case "cancelled":
        if (still) this.wanted = null;
    }
  }

  /** Shows what was asked for once it is really here, in whichever order reply and traits came. */
  #arrived(): void {
    const key = this.#arrivesAs;
    const header = key === null ? null : this.traits.header(key);
    if (key === null || !header || !this.load(header)) return;
    this.#arrivesAs = null;
    this.wanted = null;
    this.#show(key);
  }

  #show(key: string): void {
    if (this.traits.shown === key) return;
    this.set("shown", key);
    this.save();
  }

  /** An error belongs to what was asked for then, not to what is looked at now. */
  #forgive(): void {
    this.trouble = null;
    const { trouble } = this.traits.status;
    this.#dismissed = trouble.message + trouble.traceback;
  }

  #changed(): void {
    this.audience.tell();
  }
}
