/** A model as a notebook would give one, with a kernel that answers: for development and for tests. */

type Listener = (...args: unknown[]) => void;

export class FakeModel {
  readonly sent: unknown[] = [];
  saves = 0;
  kernel: ((message: Record<string, unknown>, model: FakeModel) => void) | null = null;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(readonly state: Record<string, unknown>) {}

  get(name: string): unknown {
    return this.state[name];
  }

  set(name: string, value: unknown): void {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.emit(`change:${name}`, this, value);
  }

  save_changes(): void {
    this.saves++;
  }

  on(event: string, listener: Listener): void {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  send(content: unknown): void {
    this.sent.push(content);
    this.kernel?.(content as Record<string, unknown>, this);
  }

  /** What Python would do. */
  emit(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...args);
  }

  reply(content: unknown, buffers: unknown[] = []): void {
    this.emit("msg:custom", content, buffers);
  }

  listening(): number {
    return [...this.#listeners.values()].reduce((sum, all) => sum + all.size, 0);
  }
}

/** The traits of a widget of one model and one picture, from what is known of them. */
export function single({
  _info,
  _image,
  _labels,
  ...more
}: Record<string, unknown>): Record<string, unknown> {
  const { model = "", methods = [], scores = [], ...subject } = (_info ?? {}) as Record<string, unknown>;
  const subjects = [{ model: 0, image: 0, model_name: model, image_name: "", labels: 0, ...subject }];
  return {
    _info: { version: 2, methods, scores, subjects, models: [model], images: [""] },
    _images: [_image],
    _originals: [],
    _labels: [_labels ?? []],
    ...more,
  };
}

/** What Python would make of a class index. */
export function wanted(index: number, more: Record<string, unknown> = {}) {
  return {
    model: 0,
    image: 0,
    method: "gradient",
    parameters: {},
    target: { kind: "logit", index, other: null, place: [] as readonly number[] },
    ...more,
  };
}

/** The bits of the half nearest to a number. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | Math.round(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | (((exponent + 15) << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024));
}

/** Packs values as Python does: the largest magnitude becomes 32,768. */
export function pack(values: ArrayLike<number>): { bytes: Uint8Array; scale: number } {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]!)) largest = Math.max(largest, Math.abs(values[i]!));
  }
  const scale = largest / 32768;
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = toHalf(values[i]! / (scale || 1));
  return { bytes: new Uint8Array(halves.buffer), scale };
}

/** Numbers in [0, 1) that are the same each time. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function headerFor(
  index: number,
  label: string,
  shape: readonly number[],
  scale: number,
  slot?: number,
) {
  return {
    ...(slot === undefined ? {} : { slot }),
    key: `gradient/logit/${index}`,
    model: 0,
    image: 0,
    method: { name: "gradient", label: "Gradient", parameters: {} },
    target: { kind: "logit", index, other: null, label, other_label: null, text: `logit of ${label}` },
    shape: [...shape],
    dtype: "float16",
    scale,
    error: scale,
    unit: "logit per full-scale pixel",
    score: 7.31 - index / 1000,
    probability: 0.02,
    seconds: 0.12,
    reduced_from: null,
    nonfinite: 0,
    quality: {},
    done: 1,
    total: 1,
    final: true,
    snapshot: false,
    outdated: false,
    baseline: null,
  };
}

/** A gradient-like map: heavy-tailed noise under a hill, a little smooth. */
export function gradientMap(shape: readonly [number, number, number], seed: number): Float32Array {
  const [channels, height, width] = shape;
  const draw = random(seed);
  const [x0, y0] = [(0.35 + 0.3 * draw()) * width, (0.3 + 0.3 * draw()) * height];
  const noise = new Float32Array(channels * height * width);
  for (let c = 0, i = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const hill = Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (0.08 * width * height)) + 0.06;
        const heavy = (draw() + draw() - draw() - draw()) / (0.25 + draw());
        noise[i] = 0.004 * hill * heavy;
      }
    }
  }
  return noise.map((v, i) => 0.5 * v + 0.3 * (noise[i + 1] ?? 0) + 0.3 * (noise[i + width] ?? 0));
}
