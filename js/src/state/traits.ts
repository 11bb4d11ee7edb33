import { hasBytes } from "../map/bytes";
import {
  type Catalogue,
  type Fields,
  fields,
  finite,
  type Header,
  type Info,
  parseCatalogue,
  parseHeader,
  parseInfo,
  parsePlace,
  strings,
  text,
  whole,
} from "../map/header";
import type { Plane } from "../map/kept";
import { Labels } from "../map/labels";
import { SIGNS, type Sign } from "../map/reduce";
import type { Model } from "./model";
import type { Run } from "./protocol";
import { parseWant, type Want } from "./want";

export const SLOTS = 24;
/** Traits that Python alone writes. */
export const FROM_PYTHON = ["_info", "_images", "_originals", "_labels", "_maps", "_status"].concat(
  Array.from({ length: SLOTS }, (_, i) => `_slot_${i}`),
);
/** What is looked at, beside the key of its map. */
export const CHOICES = [
  "model_index",
  "image_index",
  "class_index",
  "versus",
  "score",
  "place",
  "method",
  "parameters",
] as const;
/** How it is looked at. */
export const LOOKS = [
  "look",
  "sign",
  "reduction",
  "threshold",
  "clip",
  "colormap",
  "opacity",
  "photo",
  "cells",
  "frame",
  "viewport",
  "scale",
  "level",
  "pins",
  "box_threshold",
  "panels",
] as const;
/** Traits that somebody who looks may change. */
export const VIEW: readonly string[] = ["shown", ...CHOICES, ...LOOKS];

export type Look = "overlay" | "map" | "image";
export type Scale = "own" | "shared" | "locked";
export type Frame = "model" | "original";

/** How far it is zoomed in, and the middle of what is seen as fractions of the picture. */
export interface Viewport {
  readonly zoom: number;
  readonly row: number;
  readonly column: number;
}

export const FIT: Viewport = { zoom: 1, row: 0.5, column: 0.5 };
export const MOST_PANELS = 8;
export const MOST_PINS = 9;

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
  /** What Python computes of its own accord. */
  readonly run: Run | null;
  readonly trouble: Trouble;
}

const NOTHING = parseInfo({});

/** A model's traits, read safely whatever a host has in them, and parsed once. */
export class Traits {
  /** What was chosen in a host that cannot store it. */
  readonly #own = new Map<string, unknown>();
  readonly #parsed = new Map<string, { raw: unknown; value: unknown }>();

  constructor(readonly model: () => Model | undefined) {}

  get catalogue(): Catalogue {
    return this.#read("_info", parseCatalogue);
  }

  /** What is known of a model and a picture; the first ones' where there are no such. */
  info(model: number, image: number): Info {
    const { subjects } = this.catalogue;
    const found = subjects.find((one) => one.modelIndex === model && one.imageIndex === image);
    return found ?? subjects[0] ?? NOTHING;
  }

  /** The bytes of the picture that a subject sees. */
  image(info: Info): unknown {
    const images = this.model()?.get("_images");
    return Array.isArray(images) ? images[this.catalogue.subjects.indexOf(info)] : undefined;
  }

  /** The encoded picture before preprocessing; undefined while it is not here. */
  original(info: Info): unknown {
    const originals = this.model()?.get("_originals");
    return Array.isArray(originals) ? originals[info.imageIndex] : undefined;
  }

  labels({ labels: at, classes }: Info): Labels {
    const all = this.#read("_labels", (raw) => ({
      names: (Array.isArray(raw) ? raw : []).map(
        (one) => (fields(one) as Record<string, string>) ?? strings(one),
      ),
      made: new Map<string, Labels>(),
    }));
    const key = `${at} ${classes}`;
    let labels = all.made.get(key);
    if (!labels) {
      labels = new Labels(all.names[at] ?? [], classes);
      all.made.set(key, labels);
    }
    return labels;
  }

  get headers(): readonly Header[] {
    return this.#read("_maps", (raw) => {
      const known = (Array.isArray(raw) ? raw : []).map(parseHeader);
      return known.filter((header): header is Header => header !== null && header.slot !== null);
    });
  }

  get status(): Status {
    const status = this.#saved;
    // What was being computed when the page was saved is computed no more.
    const over = status.state === "computing" && this.model()?.deserted;
    return over ? { ...status, state: "idle" } : status;
  }

  get #saved(): Status {
    return this.#read("_status", (raw): Status => {
      const status = fields(raw);
      const state = status?.state === "computing" || status?.state === "error" ? status.state : "idle";
      const announced = fields(status?.want);
      const label = text(announced?.text);
      const req = state === "computing" ? text(announced?.req) : "";
      const want = req ? parseWant(announced) : null;
      const of = label && `the ${label}`;
      const trouble = { of, message: text(status?.message), traceback: text(status?.traceback) };
      return { state, label, run: want && { req, want }, trouble };
    });
  }

  get shown(): string {
    return text(this.value("shown"));
  }

  /** What the traits of the choices name, whether its map is here or not. */
  get chosen(): Want {
    const index = whole(this.value("class_index"));
    const other = whole(this.value("versus"));
    return {
      model: whole(this.value("model_index")) ?? 0,
      image: whole(this.value("image_index")) ?? 0,
      method: text(this.value("method"), "gradient"),
      parameters: fields(this.value("parameters")) ?? {},
      target: {
        kind: text(this.value("score"), "logit"),
        index,
        other,
        place: parsePlace(this.value("place")),
      },
    };
  }

  get look(): Look {
    return this.#one("look", ["overlay", "map", "image"]);
  }

  get sign(): Sign {
    const sign = this.#one("sign", ["absolute", "signed", "positive", "negative"]);
    const { signs } = this;
    return signs.includes(sign) ? sign : signs[0]!;
  }

  /** Those that all maps can be looked at by: a page may keep less than their channels. */
  get signs(): readonly Sign[] {
    const kept = this.headers.map((header) => header.planes).filter((planes) => planes.length > 0);
    const all = (plane: Plane) => kept.every((planes) => planes.includes(plane));
    return SIGNS.filter((sign) => all(sign === "absolute" ? sign : "signed"));
  }

  /** Whether the channels of a map were put together before it came. */
  get together(): boolean {
    return this.headers.some((header) => header.planes.length > 0);
  }

  get reduction(): string {
    if (this.together) return "default";
    const value = text(this.value("reduction"), "default");
    return /^\d+$/.test(value) ? value : this.#one("reduction", ["default", "max", "sum", "mean", "l2"]);
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

  /** The name of a colour table; "" is the sign's own. */
  get colormap(): string {
    return text(this.value("colormap"));
  }

  get greyPhoto(): boolean {
    return this.value("photo") !== "colour";
  }

  get cells(): boolean {
    return this.value("cells") === true;
  }

  get frame(): Frame {
    return this.#one("frame", ["model", "original"]);
  }

  get viewport(): Viewport {
    const raw = this.value("viewport");
    const [zoom, row, column] = Array.isArray(raw) ? raw.map(finite) : [];
    if (!zoom || zoom < 1 || typeof row !== "number" || typeof column !== "number") return FIT;
    return { zoom, row: Math.max(0, Math.min(1, row)), column: Math.max(0, Math.min(1, column)) };
  }

  get scale(): Scale {
    return this.#one("scale", ["own", "shared", "locked"]);
  }

  /** The value at the end of the colours where the scale is locked; 0 where none is known. */
  get level(): number {
    return this.#number("level", 0, 0, Number.MAX_VALUE);
  }

  /** The least probability of a box that is drawn. */
  get boxThreshold(): number {
    return this.#number("box_threshold", 0.5, 0, 1);
  }

  get pins(): readonly { readonly row: number; readonly column: number }[] {
    const raw = this.value("pins");
    return (Array.isArray(raw) ? raw : []).slice(0, MOST_PINS).flatMap((one) => {
      const [row, column] = Array.isArray(one) ? one.map((side) => whole(side)) : [];
      return typeof row === "number" && typeof column === "number" ? [{ row, column }] : [];
    });
  }

  /** The maps that stand beside the one that is shown. */
  get panels(): readonly Want[] {
    return this.#parse("panels", this.value("panels"), (raw) =>
      (Array.isArray(raw) ? raw : [])
        .map(parseWant)
        .filter((want): want is Want => want !== null)
        .slice(0, MOST_PANELS),
    );
  }

  header(key: string): Header | null {
    return this.headers.find((header) => header.key === key) ?? null;
  }

  bytes(slot: number): unknown {
    return this.model()?.get(`_slot_${slot}`);
  }

  /** Everything that somebody who looks may change, but the key of the map. */
  get view(): Fields {
    return Object.fromEntries([...CHOICES, ...LOOKS].map((name) => [name, this.value(name) ?? null]));
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
  }

  value(name: string): unknown {
    return this.#own.has(name) ? this.#own.get(name) : this.model()?.get(name);
  }

  #one<V extends string>(name: string, known: readonly [V, ...V[]]): V {
    const raw = this.value(name);
    return known.find((one) => one === raw) ?? known[0];
  }

  #number(name: string, otherwise: number, least: number, most: number): number {
    const raw = this.value(name);
    return typeof raw === "number" && raw >= least && raw <= most ? raw : otherwise;
  }

  #read<V>(name: string, parse: (raw: unknown) => V): V {
    return this.#parse(name, this.model()?.get(name), parse);
  }

  #parse<V>(name: string, raw: unknown, parse: (raw: unknown) => V): V {
    const held = this.#parsed.get(name);
    if (held && held.raw === raw) return held.value as V;
    const value = parse(raw);
    this.#parsed.set(name, { raw, value });
    return value;
  }
}
