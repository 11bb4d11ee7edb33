import type { Plane } from "./kept";
import type { Shape } from "./outline";
import type { Spots } from "./spots";

export interface Target {
  readonly kind: string;
  /** null where the target is not one class. */
  readonly index: number | null;
  /** The class whose score is taken off; null where none is. */
  readonly other: number | null;
  readonly label: string;
  readonly otherLabel: string;
  readonly text: string;
  /** Where the score is of; empty where it is of the whole picture, or of no place in particular. */
  readonly place: readonly number[];
  /** The shape of what it is of, where the place does not say it. */
  readonly mask: Shape | null;
}

/** What travels beside the bytes of a map. */
export interface Header {
  /** The slot that holds the bytes; null where they came with the header. */
  readonly slot: number | null;
  readonly key: string;
  readonly model: number;
  readonly image: number;
  readonly method: { readonly name: string; readonly label: string; readonly parameters: Fields };
  readonly target: Target;
  readonly shape: readonly [number, number, number];
  readonly dtype: "float16" | "int8";
  readonly scale: number;
  /** What is kept instead of the channels; empty where those are. */
  readonly planes: readonly Plane[];
  /** What one unit of the plane of magnitudes is worth. */
  readonly absoluteScale: number;
  /** The largest error of a value, and of a magnitude where those have a plane of their own. */
  readonly error: number;
  readonly absoluteError: number;
  readonly unit: string;
  readonly score: number | null;
  readonly probability: number | null;
  readonly seconds: number | null;
  readonly reducedFrom: readonly [number, number] | null;
  readonly nonfinite: number;
  /** Scale-free figures on how good the map is, by name. */
  readonly quality: Readonly<Record<string, number>>;
  readonly done: number;
  readonly total: number;
  /** Whether it is all that the method gives; a map that was stopped early is not. */
  readonly final: boolean;
  /** Whether the weights changed while it was computed. */
  readonly snapshot: boolean;
  /** Whether the weights have changed since. */
  readonly outdated: boolean;
  /** A small PNG, in base64, of what the method compared the picture with. */
  readonly baseline: string | null;
}

export interface Prediction {
  readonly index: number;
  readonly label: string;
  readonly score: number | null;
  readonly probability: number | null;
}

export type ControlKind = "integer" | "number" | "choice" | "flag" | "layer" | "baseline" | "text";

/** One parameter of a method, as the method declares it. */
export interface Control {
  readonly name: string;
  readonly label: string;
  readonly text: string;
  readonly kind: ControlKind;
  readonly default: unknown;
  readonly least: number | null;
  readonly most: number | null;
  readonly step: number | null;
  readonly options: readonly unknown[];
  /** Whether null can be chosen. */
  readonly optional: boolean;
}

export interface Method {
  readonly name: string;
  readonly label: string;
  readonly summary: string;
  readonly parameters: readonly Control[];
}

export interface Layer {
  readonly name: string;
  readonly kind: string;
  /** Rows and columns. */
  readonly grid: readonly [number, number];
}

/** The picture before the model's preprocessing. */
export interface Original {
  readonly height: number;
  readonly width: number;
  /** What of it the model sees: top, left, bottom, right in its pixels; beyond it where the model sees a border. */
  readonly box: readonly [number, number, number, number];
}

/** One model and one picture. */
export interface Info {
  readonly modelIndex: number;
  readonly imageIndex: number;
  readonly model: string;
  readonly imageName: string;
  readonly width: number;
  readonly height: number;
  readonly original: Original | null;
  readonly channels: readonly string[];
  readonly classes: number;
  readonly prediction: readonly Prediction[];
  /** What makes a probability of a score: "softmax", "sigmoid", or "" where nothing does. */
  readonly probabilityKind: string;
  /** What can be pointed at; null where the model scores the picture as a whole. */
  readonly spots: Spots | null;
  readonly preprocess: string;
  readonly scoreKind: string;
  /** Which list of labels is its own. */
  readonly labels: number;
  readonly layers: readonly Layer[];
  readonly notes: readonly string[];
}

export interface ScoreKind {
  readonly kind: string;
  readonly label: string;
}

/** All that can be chosen among. */
export interface Catalogue {
  /** In the order of a menu. */
  readonly methods: readonly Method[];
  readonly scores: readonly ScoreKind[];
  readonly models: readonly string[];
  readonly images: readonly string[];
  /** Of each model each picture. */
  readonly subjects: readonly Info[];
}

export type Fields = Record<string, unknown>;

export function fields(raw: unknown): Fields | null {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) ? (raw as Fields) : null;
}

export function text(raw: unknown, otherwise = ""): string {
  return typeof raw === "string" ? raw : otherwise;
}

export function finite(raw: unknown): number | null {
  return typeof raw === "number" && Number.isFinite(raw) ? raw : null;
}

export function whole(raw: unknown, least = 0): number | null {
  return typeof raw === "number" && Number.isInteger(raw) && raw >= least ? raw : null;
}

/** The largest map that is decoded: beyond it a header is taken for broken. */
const MOST_VALUES = 2 ** 26;

export function parseHeader(raw: unknown): Header | null {
  const h = fields(raw);
  if ((h?.dtype !== "float16" && h?.dtype !== "int8") || typeof h.key !== "string" || h.key === "")
    return null;
  if (!Array.isArray(h.shape) || h.shape.length !== 3) return null;
  const [channels, height, width] = h.shape.map((side) => whole(side, 1));
  const scale = finite(h.scale);
  if (!channels || !height || !width || channels * height * width > MOST_VALUES) return null;
  if (scale === null || scale < 0) return null;
  const method = fields(h.method);
  const from = Array.isArray(h.reduced_from) ? h.reduced_from.map((side) => whole(side, 1)) : [];
  const total = finite(h.total) ?? 0;
  return {
    slot: whole(h.slot),
    key: h.key,
    model: whole(h.model) ?? 0,
    image: whole(h.image) ?? 0,
    method: {
      name: text(method?.name),
      label: text(method?.label) || text(method?.name) || "Map",
      parameters: fields(method?.parameters) ?? {},
    },
    target: parseTarget(h.target),
    shape: [channels, height, width],
    dtype: h.dtype,
    scale,
    planes: list(h.planes).filter((one): one is Plane => one === "signed" || one === "absolute"),
    absoluteScale: finite(h.absolute_scale) ?? 0,
    error: finite(h.error) ?? 0,
    absoluteError: finite(h.absolute_error) ?? 0,
    unit: text(h.unit),
    score: finite(h.score),
    probability: finite(h.probability),
    seconds: finite(h.seconds),
    reducedFrom: from[0] && from[1] ? [from[0], from[1]] : null,
    nonfinite: whole(h.nonfinite) ?? 0,
    quality: numbers(h.quality),
    done: finite(h.done) ?? total,
    total,
    final: h.final !== false,
    snapshot: h.snapshot === true,
    outdated: h.outdated === true,
    baseline: text(h.baseline) || null,
  };
}

function parseTarget(raw: unknown): Target {
  const target = fields(raw);
  const index = whole(target?.index);
  const other = whole(target?.other);
  const kind = text(target?.kind, "logit");
  const label = text(target?.label) || called(index);
  const otherLabel = text(target?.other_label) || called(other);
  const place = parsePlace(target?.place);
  const mask = parseMask(target?.mask);
  return {
    kind,
    index,
    other,
    label,
    otherLabel,
    text: text(target?.text) || `${kind} of ${label}`,
    place,
    mask,
  };
}

function called(index: number | null): string {
  return index === null ? "" : `class ${index}`;
}

function numbers(raw: unknown): Record<string, number> {
  const known = Object.entries(fields(raw) ?? {}).filter(([, value]) => finite(value) !== null);
  return Object.fromEntries(known) as Record<string, number>;
}

const KINDS = new Set(["integer", "number", "choice", "flag", "layer", "baseline", "text"]);

function parseControl(raw: unknown): Control[] {
  const control = fields(raw);
  const name = text(control?.name);
  if (!control || !name) return [];
  return [
    {
      name,
      label: text(control.label) || name,
      text: text(control.text),
      kind: (KINDS.has(text(control.kind)) ? control.kind : "text") as ControlKind,
      default: control.default ?? null,
      least: finite(control.least),
      most: finite(control.most),
      step: finite(control.step),
      options: list(control.options),
      optional: control.optional === true,
    },
  ];
}

function parseMethod(raw: unknown): Method[] {
  const method = fields(raw);
  const name = text(method?.name);
  if (!name) return [];
  const parameters = list(method?.parameters).flatMap(parseControl);
  return [{ name, label: text(method?.label) || name, summary: text(method?.summary), parameters }];
}

function parseLayer(raw: unknown): Layer[] {
  const layer = fields(raw);
  const [rows, columns] = list(layer?.grid).map((side) => whole(side, 1));
  const name = text(layer?.name);
  return name && rows && columns ? [{ name, kind: text(layer?.kind), grid: [rows, columns] }] : [];
}

function parseOriginal(raw: unknown): Original | null {
  const original = fields(raw);
  const height = whole(original?.height, 1);
  const width = whole(original?.width, 1);
  const [top, left, bottom, right] = list(original?.box).map(finite);
  if (!height || !width || typeof top !== "number" || typeof left !== "number") return null;
  if (typeof bottom !== "number" || typeof right !== "number" || bottom <= top || right <= left) return null;
  return { height, width, box: [top, left, bottom, right] };
}

export function parseCatalogue(raw: unknown): Catalogue {
  const info = fields(raw) ?? {};
  return {
    methods: list(info.methods).flatMap(parseMethod),
    scores: list(info.scores).flatMap((one) => {
      const kind = text(fields(one)?.kind);
      return kind ? [{ kind, label: text(fields(one)?.label) || kind }] : [];
    }),
    models: strings(info.models),
    images: strings(info.images),
    subjects: list(info.subjects).map(parseInfo),
  };
}

export function parseInfo(raw: unknown): Info {
  const info = fields(raw) ?? {};
  const picture = fields(info.picture);
  const prediction = (Array.isArray(info.prediction) ? info.prediction : []).flatMap((one): Prediction[] => {
    const index = whole(fields(one)?.index);
    if (index === null) return [];
    const label = text(fields(one)?.label) || `class ${index}`;
    return [
      { index, label, score: finite(fields(one)?.score), probability: finite(fields(one)?.probability) },
    ];
  });
  return {
    modelIndex: whole(info.model) ?? 0,
    imageIndex: whole(info.image) ?? 0,
    model: text(info.model_name),
    imageName: text(info.image_name),
    width: whole(picture?.width, 1) ?? 0,
    height: whole(picture?.height, 1) ?? 0,
    original: parseOriginal(info.original),
    channels: strings(info.channels),
    classes: whole(info.classes) ?? 0,
    prediction,
    probabilityKind: text(info.probability, info.classes === 1 ? "sigmoid" : "softmax"),
    spots: parseSpots(info.scene),
    preprocess: text(info.preprocess),
    scoreKind: text(info.score_kind, "logit"),
    labels: whole(info.labels) ?? 0,
    layers: list(info.layers).flatMap(parseLayer),
    notes: strings(info.notes),
  };
}

export function parsePlace(raw: unknown): readonly number[] {
  const numbers = list(raw).map(finite);
  return numbers.every((one) => one !== null) ? (numbers as number[]) : [];
}

function parseMask(raw: unknown): Shape | null {
  const mask = fields(raw);
  const height = whole(mask?.height, 1);
  const width = whole(mask?.width, 1);
  const step = whole(mask?.step, 1);
  return height && width && step ? { height, width, step, bits: text(mask!.bits) } : null;
}

function parseSpots(raw: unknown): Spots | null {
  const scene = fields(raw);
  const kind = scene?.kind;
  const height = whole(scene?.height, 1);
  const width = whole(scene?.width, 1);
  if ((kind !== "segmentation" && kind !== "detection") || !height || !width) return null;
  const named = (one: Fields | null) => {
    const index = whole(one?.index);
    return index === null ? null : { index, label: text(one?.label) || called(index) };
  };
  return {
    kind,
    height,
    width,
    areas: list(scene!.areas).flatMap((one) => {
      const area = named(fields(one));
      return area ? [{ ...area, share: finite(fields(one)?.share) ?? 0 }] : [];
    }),
    boxes: list(scene!.boxes).flatMap((one) => {
      const box = named(fields(one));
      const [top, left, bottom, right] = parsePlace(fields(one)?.box);
      if (!box || top === undefined || left === undefined || bottom === undefined || right === undefined)
        return [];
      const probability = finite(fields(one)?.probability) ?? 0;
      return [
        {
          ...box,
          probability,
          place: parsePlace(fields(one)?.place),
          edges: [top, left, bottom, right] as const,
        },
      ];
    }),
  };
}

function list(raw: unknown): unknown[] {
  return Array.isArray(raw) ? raw : [];
}

export function strings(raw: unknown): string[] {
  return Array.isArray(raw) ? raw.map((one) => text(one)) : [];
}
