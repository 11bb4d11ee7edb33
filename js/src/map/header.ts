export interface Target {
  readonly kind: string;
  /** null where the target is not one class. */
  readonly index: number | null;
  readonly label: string;
  readonly text: string;
}

/** What travels beside the bytes of a map. */
export interface Header {
  /** The slot that holds the bytes; null where they came with the header. */
  readonly slot: number | null;
  readonly key: string;
  readonly method: { readonly name: string; readonly label: string };
  readonly target: Target;
  readonly shape: readonly [number, number, number];
  readonly scale: number;
  readonly unit: string;
  readonly score: number | null;
  readonly probability: number | null;
  readonly seconds: number | null;
  readonly reducedFrom: readonly [number, number] | null;
  readonly nonfinite: number;
}

export interface Prediction {
  readonly index: number;
  readonly label: string;
  readonly probability: number | null;
}

export interface Method {
  readonly name: string;
  readonly label: string;
  readonly summary: string;
}

export interface Info {
  readonly model: string;
  readonly width: number;
  readonly height: number;
  readonly channels: readonly string[];
  readonly classes: number;
  readonly prediction: readonly Prediction[];
  /** What makes a probability of a score: "softmax" or "sigmoid". */
  readonly probabilityKind: string;
  readonly preprocess: string;
  readonly scoreKind: string;
  /** All methods there are, in the order of a menu. */
  readonly methods: readonly Method[];
  readonly notes: readonly string[];
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
  if (h?.dtype !== "float16" || typeof h.key !== "string" || h.key === "") return null;
  if (!Array.isArray(h.shape) || h.shape.length !== 3) return null;
  const [channels, height, width] = h.shape.map((side) => whole(side, 1));
  const scale = finite(h.scale);
  if (!channels || !height || !width || channels * height * width > MOST_VALUES) return null;
  if (scale === null || scale < 0) return null;
  const method = fields(h.method);
  const target = fields(h.target);
  const from = Array.isArray(h.reduced_from) ? h.reduced_from.map((side) => whole(side, 1)) : [];
  const index = whole(target?.index);
  const label = text(target?.label) || (index === null ? "" : `class ${index}`);
  const kind = text(target?.kind, "logit");
  return {
    slot: whole(h.slot),
    key: h.key,
    method: { name: text(method?.name), label: text(method?.label) || text(method?.name) || "Map" },
    target: { kind, index, label, text: text(target?.text) || `${kind} of ${label}` },
    shape: [channels, height, width],
    scale,
    unit: text(h.unit),
    score: finite(h.score),
    probability: finite(h.probability),
    seconds: finite(h.seconds),
    reducedFrom: from[0] && from[1] ? [from[0], from[1]] : null,
    nonfinite: whole(h.nonfinite) ?? 0,
  };
}

export function parseInfo(raw: unknown): Info {
  const info = fields(raw) ?? {};
  const picture = fields(info.picture);
  const prediction = (Array.isArray(info.prediction) ? info.prediction : []).flatMap((one): Prediction[] => {
    const index = whole(fields(one)?.index);
    if (index === null) return [];
    const label = text(fields(one)?.label) || `class ${index}`;
    return [{ index, label, probability: finite(fields(one)?.probability) }];
  });
  return {
    model: text(info.model),
    width: whole(picture?.width, 1) ?? 0,
    height: whole(picture?.height, 1) ?? 0,
    channels: strings(info.channels),
    classes: whole(info.classes) ?? 0,
    prediction,
    probabilityKind: text(info.probability) || (info.classes === 1 ? "sigmoid" : "softmax"),
    preprocess: text(info.preprocess),
    scoreKind: text(info.score_kind, "logit"),
    methods: (Array.isArray(info.methods) ? info.methods : []).flatMap((one): Method[] => {
      const method = fields(one);
      const name = text(method?.name);
      return name ? [{ name, label: text(method?.label) || name, summary: text(method?.summary) }] : [];
    }),
    notes: strings(info.notes),
  };
}

export function strings(raw: unknown): string[] {
  return Array.isArray(raw) ? raw.map((one) => text(one)) : [];
}
