import { hasBytes } from "../map/bytes";
import { fields, type Header, type Info, parseHeader, parseInfo, strings, text } from "../map/header";
import { Labels } from "../map/labels";
import type { Sign } from "../map/reduce";
import type { Model } from "./model";

export const SLOTS = 24;
/** Traits that Python alone writes. */
export const FROM_PYTHON = ["_info", "_image", "_labels", "_maps", "_status"].concat(
  Array.from({ length: SLOTS }, (_, i) => `_slot_${i}`),
);
/** Traits that somebody who looks may change. */
export const VIEW = ["shown", "sign", "threshold", "opacity", "clip"];

export interface Trouble {
  /** What has no map because of it, in words; "" where that is not known. */
  readonly of: string;
  readonly message: string;
  readonly traceback: string;
}

export interface Status {
  readonly state: "idle" | "computing" | "error";
  /** What is computed, in words. */
  readonly label: string;
  readonly trouble: Trouble;
}

/** A model's traits, read safely whatever a host has in them, and parsed once. */
export class Traits {
  /** What was chosen in a host that cannot store it. */
  readonly #own = new Map<string, unknown>();
  readonly #parsed = new Map<string, { raw: unknown; value: unknown }>();

  constructor(readonly model: () => Model | undefined) {}

  get info(): Info {
    return this.#read("_info", parseInfo);
  }

  get image(): unknown {
    return this.model()?.get("_image");
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
      const label = text(fields(status?.want)?.text);
      const of = label && `the ${label}`;
      const trouble = { of, message: text(status?.message), traceback: text(status?.traceback) };
      return { state, label, trouble };
    });
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

  header(key: string): Header | null {
    return this.headers.find((header) => header.key === key) ?? null;
  }

  bytes(slot: number): unknown {
    return this.model()?.get(`_slot_${slot}`);
  }

  /**
   * Whether the map itself came, and not its header alone: tools that run a notebook keep only what arrives while a cell
   * runs, so a saved state may name a map whose bytes went by between two cells.
   */
  came(header: Header): boolean {
    return header.slot !== null && hasBytes(this.bytes(header.slot));
  }

  set(name: string, value: unknown): void {
    const stored = this.model()?.set(name, value) ?? false;
    if (stored) this.#own.delete(name);
    else this.#own.set(name, value);
  }

  /** The host's own value counts again. */
  heard(name: string): void {
    this.#own.delete(name);
    // How many labels there are depends on the number of classes.
    if (name === "_info") this.#parsed.delete("_labels");
  }

  #value(name: string): unknown {
    return this.#own.has(name) ? this.#own.get(name) : this.model()?.get(name);
  }

  #number(name: string, otherwise: number, least: number, most: number): number {
    const raw = this.#value(name);
    return typeof raw === "number" && raw >= least && raw <= most ? raw : otherwise;
  }

  #read<V>(name: string, parse: (raw: unknown) => V): V {
    const raw = this.model()?.get(name);
    const held = this.#parsed.get(name);
    if (held && held.raw === raw) return held.value as V;
    const value = parse(raw);
    this.#parsed.set(name, { raw, value });
    return value;
  }
}
