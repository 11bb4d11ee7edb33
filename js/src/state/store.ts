import { fields, type Header, type Info, parseHeader, parseInfo, strings, text } from "../map/header";
import { Labels } from "../map/labels";
import type { Sign } from "../map/reduce";
import { type Loaded, MapCache } from "./maps";
import type { Want } from "./messages";
import type { Model } from "./model";
import { type Flight, keyOf, type Outcome, type Partial, Protocol } from "./protocol";

export const SLOTS = 24;
const FROM_PYTHON = ["_info", "_image", "_labels", "_maps", "_status"].concat(
  Array.from({ length: SLOTS }, (_, i) => `_slot_${i}`),
);
const VIEW = ["shown", "sign", "threshold", "opacity", "clip"];

export interface Trouble {
  readonly message: string;
  readonly traceback: string;
}

export interface Status {
  readonly state: "idle" | "computing" | "error";
  readonly label: string;
  readonly trouble: Trouble;
}

/** Everything the views of one model share: its traits read safely, the maps it holds, what is asked for. */
export class Store {
  readonly protocol: Protocol;
  readonly maps = new MapCache();
  /** The last request's error; null when something else was chosen since. */
  trouble: Trouble | null = null;
  gone = false;
  partial: Partial | null = null;
  /** The class last asked for, until it is shown. */
  wanted: Want | null = null;

  readonly #models = new Map<Model, (() => void)[]>();
  readonly #listeners = new Set<() => void>();
  readonly #visible = new Set<object>();
  /** What was chosen in a host that cannot store it. */
  readonly #own = new Map<string, unknown>();
  readonly #parsed = new Map<string, { raw: unknown; value: unknown }>();
  readonly #seen = new WeakSet<object>();
  #arrivesAs: string | null = null;
  #dismissed = "";
  #writing = false;

  constructor() {
    this.protocol = new Protocol({
      send: (content) => this.#model?.send(content) ?? false,
      later: (milliseconds, action) => {
        const timer = setTimeout(action, milliseconds);
        return () => clearTimeout(timer);
      },
      drawn: (action) => this.#drawn(action),
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

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setVisible(view: object, visible: boolean): void {
    if (visible) this.#visible.add(view);
    else this.#visible.delete(view);
  }

  get info(): Info {
    return this.#read("_info", parseInfo);
  }

  get image(): unknown {
    return this.#model?.get("_image");
  }

  get labels(): Labels {
    const classes = this.info.classes;
    const labels = this.#read("_labels", (raw) => new Labels(strings(raw), classes));
    return labels.count >= classes ? labels : new Labels([], classes);
  }

  get headers(): readonly Header[] {
    return this.#read("_maps", (raw) => {
      const known = (Array.isArray(raw) ? raw : []).map(parseHeader);
      return known.filter((header): header is Header => header !== null && header.slot !== null);
    });
  }

  get status(): Status {
    return this.#read("_status", (raw): Status => {
      const status = fields(raw);
      const state = status?.state === "computing" || status?.state === "error" ? status.state : "idle";
      const trouble = { message: text(status?.message), traceback: text(status?.traceback) };
      return { state, label: text(fields(status?.want)?.text), trouble };
    });
  }

  /** An error that Python tells of and that nothing was chosen after. */
  get statusTrouble(): Trouble | null {
    const { state, trouble } = this.status;
    return state === "error" && trouble.message + trouble.traceback !== this.#dismissed ? trouble : null;
  }

  get shown(): string {
    return text(this.#value("shown"));
  }

  get sign(): Sign {
    return this.#value("sign") === "signed" ? "signed" : "absolute";
  }

  get threshold(): number {
    return this.#number("threshold", 100, 0, 100);
  }

  get opacity(): number {
    return this.#number("opacity", 0.6, 0, 1);
  }

  get clip(): number {
    return this.#number("clip", 99, 0, 100);
  }

  get canAsk(): boolean {
    return this.#model?.canSend ?? false;
  }

  header(key: string): Header | null {
    return this.headers.find((header) => header.key === key) ?? null;
  }

  load(header: Header): Loaded | null {
    return header.slot === null ? null : this.maps.load(header, this.#model?.get(`_slot_${header.slot}`));
  }

  /** A class as the map on display has it: the same method and kind of score. */
  want(index: number): Want {
    const like = this.header(this.shown) ?? this.headers[0];
    return {
      method: like?.method.name || "gradient",
      target: { kind: like?.target.kind || this.info.scoreKind, index },
    };
  }

  held(index: number): Header | null {
    const { method, target } = this.want(index);
    const found = this.headers.find(
      (h) => h.method.name === method && h.target.kind === target.kind && h.target.index === index,
    );
    return found ?? null;
  }

  /** Shows a class: at once if its map is here, else when Python has sent it. */
  choose(index: number): void {
    this.#forgive();
    const held = this.held(index);
    if (held) {
      this.wanted = null;
      this.#arrivesAs = null;
      this.partial = null;
      if (this.protocol.flight || this.protocol.pending) this.protocol.stop();
      if (held.key !== this.shown) {
        this.set("shown", held.key);
        this.save();
      }
    } else if (this.canAsk) {
      const want = this.want(index);
      this.wanted = want;
      this.#arrivesAs = null;
      this.protocol.request({ want, label: this.labels.name(index) });
    }
    this.#changed();
  }

  stop(): void {
    this.wanted = null;
    this.partial = null;
    this.protocol.stop();
  }

  /** Sets a choice of the view; `save` once a gesture. */
  set(name: string, value: unknown): void {
    this.#writing = true;
    const stored = this.#model?.set(name, value) ?? false;
    this.#writing = false;
    if (stored) this.#own.delete(name);
    else this.#own.set(name, value);
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

  #value(name: string): unknown {
    return this.#own.has(name) ? this.#own.get(name) : this.#model?.get(name);
  }

  #number(name: string, otherwise: number, least: number, most: number): number {
    const raw = this.#value(name);
    return typeof raw === "number" && raw >= least && raw <= most ? raw : otherwise;
  }

  #read<V>(name: string, parse: (raw: unknown) => V): V {
    const raw = this.#model?.get(name);
    const held = this.#parsed.get(name);
    if (held && held.raw === raw) return held.value as V;
    const value = parse(raw);
    this.#parsed.set(name, { raw, value });
    return value;
  }

  #fromPython(name: string): void {
    this.gone = false;
    if (name === "_status" && this.status.state !== "error") {
      this.#dismissed = "";
      if (this.status.state === "computing") this.trouble = null;
    }
    if (name === "_info") this.#parsed.delete("_labels");
    if (name === "_maps" || name.startsWith("_slot")) this.#arrived();
    this.#changed();
  }

  #viewChanged(name: string): void {
    if (!this.#writing) {
      this.#own.delete(name);
      if (name === "shown") {
        // Python, or another view of the notebook, chose later than the request in flight.
        this.wanted = null;
        this.#arrivesAs = null;
        this.partial = null;
      }
    }
    this.#changed();
  }

  #message(content: unknown, buffers: unknown): void {
    if (typeof content === "object" && content !== null) {
      if (this.#seen.has(content)) return;
      this.#seen.add(content);
    }
    if (!this.protocol.receive(content, buffers)) return;
    this.gone = false;
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
        this.trouble = outcome;
        return;
      case "cancelled":
        if (still) this.wanted = null;
    }
  }

  /** Shows what was asked for once it is really here, in whichever order reply and traits came. */
  #arrived(): void {
    const key = this.#arrivesAs;
    const header = key === null ? null : this.header(key);
    if (key === null || !header || !this.load(header)) return;
    this.#arrivesAs = null;
    this.wanted = null;
    if (this.shown === key) return;
    this.set("shown", key);
    this.save();
  }

  #forgive(): void {
    this.trouble = null;
    const { trouble } = this.status;
    this.#dismissed = trouble.message + trouble.traceback;
  }

  #drawn(action: (visible: boolean) => void): void {
    const visible = this.#visible.size > 0 && globalThis.document?.visibilityState !== "hidden";
    if (!visible) action(false);
    else requestAnimationFrame(() => requestAnimationFrame(() => action(true)));
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
