/** The widget on a page of its own, with made-up maps and a kernel that is a timer. See harness.html. */
import widget from "../src/index";
import { FakeModel, gradientMap, headerFor, pack, single, wanted } from "./fake";

const query = new URLSearchParams(location.search);
const SIDE = Number(query.get("side") ?? 224);
const GRID = Number(query.get("grid") ?? 0);
const SHAPE = GRID ? ([1, GRID, GRID] as const) : ([Number(query.get("channels") ?? 3), SIDE, SIDE] as const);
const FULL = Number(query.get("full") ?? 0);
const NAMES: Record<number, string> = {
  281: "tabby, tabby cat",
  282: "tiger cat",
  285: "Egyptian cat",
  287: "lynx, catamount",
  292: "tiger, Panthera tigris",
};

document.body.classList.toggle("dark", query.get("theme") === "dark");

// Frames are timed from outside: what the widget does in them, and nothing that the browser does after.
const times: number[] = [];
if (query.has("measure")) {
  const plain = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (action) =>
    plain((now) => {
      const from = performance.now();
      action(now);
      times.push(performance.now() - from);
    });
  Object.assign(window, { frameTimes: times });
}

/** A part of a made-up picture, of `side` pixels each way. */
function picture(side = SIDE, top = 0, left = 0, height = side, width = side): Uint8Array {
  const rgb = new Uint8Array(3 * height * width);
  const unit = 224 / side;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const [u, v] = [(left + x) * unit, (top + y) * unit];
      const ring = 128 + 90 * Math.sin(Math.hypot(u - 110, v - 95) / 9);
      rgb[i] = ring;
      rgb[i + 1] = (ring + v) / 2;
      rgb[i + 2] = (u + v) / 2;
    }
  }
  return rgb;
}

/** An original picture as an encoded file: the model's picture is a square from the middle of it. */
async function encoded(): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(451, 300);
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "#3b6";
  pen.fillRect(0, 0, 451, 300);
  for (let x = 0; x < 451; x += 20) {
    pen.fillStyle = `hsl(${x} 60% 50%)`;
    pen.fillRect(x, 0, 10, 300);
  }
  const data = new ImageData(SIDE, SIDE);
  const rgb = picture();
  for (let i = 0; i < SIDE * SIDE; i++)
    data.data.set([rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!, 255], 4 * i);
  pen.drawImage(await createImageBitmap(data), 94.25, 18.75, 262.5, 262.5);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
}

function numbersIn(name: string): number[][] {
  return (query.get(name) ?? "")
    .split(";")
    .filter(Boolean)
    .map((one) => one.split(",").map(Number));
}

const PANELS = [
  { index: 285 },
  { index: 281 },
  { index: 282, method: "smoothgrad", parameters: { samples: 50, noise: 0.15, statistic: "mean", seed: 0 } },
  { index: 287 },
  { index: 292 },
  { index: 282, method: "grad-cam", parameters: { layer: null } },
  { index: 285, method: "grad-cam", parameters: { layer: null } },
  { index: 7 },
];
const panels = PANELS.slice(0, Number(query.get("panels") ?? 0)).map(({ index, ...more }) =>
  wanted(index, more),
);

const control = (name: string, label: string, kind: string, value: unknown, more: object = {}) => ({
  name,
  label,
  text: `What ${label.toLowerCase()} means, in a sentence.`,
  kind,
  default: value,
  ...more,
});
const METHODS = [
  {
    name: "gradient",
    label: "Gradient",
    summary: "How the score changes with each pixel, to first order.",
    parameters: [control("blur", "Blur", "number", 0, { least: 0, most: 0.1, step: 0.005 })],
  },
  {
    name: "smoothgrad",
    label: "SmoothGrad",
    summary: "The gradient, averaged over noisy copies of the picture.",
    parameters: [
      control("samples", "Samples", "integer", 50, { least: 1, most: 500, step: 1 }),
      control("noise", "Noise", "number", 0.15, { least: 0, most: 1, step: 0.01 }),
      control("statistic", "Statistic", "choice", "mean", {
        options: ["mean", "mean_abs", "square", "variance"],
      }),
      control("seed", "Seed", "integer", 0, { least: 0 }),
    ],
  },
  {
    name: "integrated-gradients",
    label: "Integrated gradients",
    summary: "How the score was gained from a baseline, pixel by pixel.",
    parameters: [
      control("steps", "Steps", "integer", 64, { least: 5, most: 4096, step: 1, optional: true }),
      control("baseline", "Baseline", "baseline", "black", {
        options: ["black", "white", "mean", "blur", "noise"],
      }),
      control("tolerance", "Tolerance", "number", null, { least: 0, most: 1, step: 0.01, optional: true }),
      control("seed", "Seed", "integer", 0, { least: 0 }),
    ],
  },
  {
    name: "grad-cam",
    label: "Grad-CAM",
    summary: "Which cells of a late layer raise the score, by the mean gradient of each channel.",
    parameters: [control("layer", "Layer", "layer", null, { optional: true })],
  },
];

/** What a model without classes can be asked about. */
const SPOTS = query.get("spots");
const BOXES = [
  [0.93, 282, 0.1, 0.12, 0.95, 0.85],
  [0.81, 285, 0.18, 0.3, 0.5, 0.66],
  [0.64, 281, 0.55, 0.02, 0.98, 0.3],
  [0.12, 287, 0.6, 0.7, 0.9, 0.98],
].map(([probability, index, ...edges], i) => ({
  probability,
  index,
  label: NAMES[index!],
  place: [i],
  box: edges.map((edge) => Math.round(edge * SIDE)),
}));
const SCENES: Record<string, object> = {
  detection: { boxes: BOXES },
  segmentation: {
    areas: [282, 285, 281].map((index, i) => ({ index, label: NAMES[index], share: [0.52, 0.31, 0.17][i] })),
  },
};
const scene = SPOTS ? { kind: SPOTS, height: SIDE, width: SIDE, ...SCENES[SPOTS] } : null;
const PLACE = numbersIn("place")[0] ?? (SPOTS === "detection" ? [0] : []);

function placed(index: number, place: readonly number[]) {
  const name = labels[index]!;
  const kind = SPOTS === "detection" ? "box" : ["segment", "mask", "pixel", "", "region"][place.length];
  const where =
    place.length === 2
      ? `at row ${place[0]}, column ${place[1]}`
      : SPOTS === "detection"
        ? `of query ${place}`
        : place.length === 4
          ? `over ${place}`
          : "over its mask";
  const text = `logit of ${name} ${where}`;
  const target = { kind: `${kind} logit`, index, other: null, place, label: name, other_label: null, text };
  if (place.length > 0) return target;
  // A disc, of cells of four pixels.
  const side = SIDE >> 2;
  const bytes = new Uint8Array((side * side) >> 3);
  for (let at = 0; at < side * side; at++) {
    const [row, column] = [Math.floor(at / side), at % side];
    if (Math.hypot(row - side * 0.45, column - side * 0.5) < side * 0.3) bytes[at >> 3]! |= 128 >> (at & 7);
  }
  return {
    ...target,
    mask: { height: side, width: side, step: 4, bits: btoa(String.fromCharCode(...bytes)) },
  };
}

const given = globalThis as { photo?: number[]; theModel?: FakeModel };
const labels = Array.from({ length: 1000 }, (_, i) => NAMES[i] ?? `thing number ${i}`);
const probable = [282, 285, 281, 287, 292];
const probability = [0.389, 0.361, 0.172, 0.0312, 0.0008];

const model = new FakeModel(
  single({
    _info: {
      version: 1,
      model: "tf_efficientnet_lite0",
      picture: { height: SIDE, width: SIDE },
      channels: ["R", "G", "B"],
      classes: 1000,
      scene,
      prediction: (scene ? [] : probable).map((index, i) => ({
        index,
        label: labels[index],
        score: 7 - i,
        probability: probability[i],
      })),
      probability: "softmax",
      preprocess: "bicubic, crop 0.875, mean 0.5, std 0.5",
      score_kind: "logit",
      layers: [
        { name: "blocks.4", kind: "Sequential", grid: [14, 14] },
        { name: "bn2", kind: "BatchNorm2d", grid: [7, 7] },
      ],
      original: {
        height: 300,
        width: 451,
        box: query.has("pad") ? [-75.5, 0, 375.5, 451] : [18.75, 94.25, 281.25, 356.75],
      },
      scores: [
        { kind: "logit", label: "logit" },
        { kind: "probability", label: "probability" },
        { kind: "log-probability", label: "log-probability" },
      ],
      methods: METHODS,
      notes: query.has("note")
        ? ["The model is in training mode; it is explained as in evaluation mode."]
        : [],
    },
    _image: given.photo?.length === 3 * SIDE * SIDE ? new Uint8Array(given.photo) : picture(),
    _labels: labels,
    _maps: [],
    _status: { state: "idle", want: null, message: "", traceback: "" },
    shown: "gradient/logit/282",
    sign: query.get("sign") ?? "absolute",
    threshold: Number(query.get("threshold") ?? 100),
    opacity: Number(query.get("opacity") ?? 0.6),
    clip: 99,
    look: query.get("look") ?? "overlay",
    photo: query.get("photo") ?? "grey",
    cells: query.has("cells"),
    frame: query.get("frame") ? "original" : "model",
    viewport: [
      Number(query.get("zoom") ?? 1),
      Number(query.get("row") ?? 0.5),
      Number(query.get("column") ?? 0.5),
    ],
    scale: query.get("scale") ?? "own",
    level: Number(query.get("level") ?? 0),
    pins: numbersIn("pins"),
    box_threshold: Number(query.get("least") ?? 0.5),
    panels,
  }),
);
given.theModel = model;

function hold(
  index: number,
  values = gradientMap(SHAPE, index),
  more: object = {},
  shape: readonly [number, number, number] = SHAPE,
): string {
  const headers = model.get("_maps") as unknown[];
  const slot = headers.length;
  const { bytes, scale } = pack(values);
  model.set(`_slot_${slot}`, new DataView(bytes.buffer));
  const header = headerFor(index, labels[index]!, shape, scale, slot);
  const other = GRID
    ? { unit: "logit", method: { name: "grad-cam", label: "Grad-CAM", parameters: { layer: null } } }
    : {};
  const reduced = FULL ? { reduced_from: [FULL, FULL] } : {};
  const whole = { ...header, ...other, ...reduced, ...more };
  model.set("_maps", [...headers, whole]);
  return whole.key;
}

const kind = query.get("state");
if (kind !== "empty") {
  const values = gradientMap(SHAPE, 282);
  if (kind === "zero") values.fill(0);
  if (kind === "nan") values.fill(Number.NaN);
  if (kind === "missing") values.fill(Number.NaN, 5000, 5400);
  hold(282, values, scene ? { target: placed(282, PLACE) } : {});
  if (kind !== "zero" && kind !== "nan") {
    const place = SPOTS === "detection" ? [1] : [];
    hold(285, undefined, scene ? { key: "gradient/285", target: placed(285, place) } : {});
  }
}

let running: ReturnType<typeof setTimeout> | undefined;
model.kernel = (message) => {
  const { req, want } = message as {
    req: string;
    want: { method: string; parameters: object; target: { index: number | null; place: number[] } };
  };
  if (message.kind === "tile") setTimeout(() => sendTile(message), 30);
  if (kind === "silent") return;
  if (message.kind === "cancel") {
    clearTimeout(running);
    model.reply({ kind: "cancelled", req, reason: "stopped" });
  }
  if (message.kind !== "request") return;
  setTimeout(() => model.reply({ kind: "accepted", req }), 20);
  const { place } = want.target;
  const index = want.target.index ?? 285;
  running = setTimeout(
    () => {
      const calls = Array.from(
        { length: 24 },
        (_, i) => `  File "model/layer_${i}.py", line ${31 + i}, in forward`,
      );
      const traceback = ["Traceback (most recent call last):", ...calls, "RuntimeError: sizes differ"].join(
        "\n",
      );
      if (kind === "error") {
        model.reply({ kind: "error", req, message: "RuntimeError: sizes differ: 7 and 8.", traceback });
      } else {
        const { method, parameters } = want;
        const label = METHODS.find((one) => one.name === method)?.label ?? method;
        const shape = method === "grad-cam" ? ([1, 7, 7] as const) : SHAPE;
        const target = scene ? { target: placed(index, place) } : {};
        const key0 = `${method}/logit/${index}${scene ? `/${place}` : ""}`;
        const more = { key: key0, method: { name: method, label, parameters }, ...target };
        const seed = index + (method === "smoothgrad" ? 0 : method === "gradient" ? 0 : 1000);
        const values = gradientMap(shape, seed);
        if (method === "smoothgrad")
          for (let i = 0; i < values.length; i++) values[i]! *= 0.7 + 0.6 * Math.sin(i);
        const key = hold(index, values, more, shape);
        model.reply({ kind: "done", req, key });
      }
    },
    Number(query.get("delay") ?? 800),
  );
};

/** Full resolution is what travelled, with a texture of its own in each pixel of that. */
function sendTile({ req, key, top, left, height, width }: Record<string, unknown>): void {
  const [t, l, h, w] = [top, left, height, width] as [number, number, number, number];
  const source = gradientMap(SHAPE, Number(String(key).split("/").at(-1)));
  const values = new Float32Array(SHAPE[0] * h * w);
  for (let c = 0, i = 0; c < SHAPE[0]; c++) {
    for (let y = t; y < t + h; y++) {
      const row = Math.floor((y * SHAPE[1]) / FULL);
      for (let x = l; x < l + w; x++, i++) {
        const column = Math.floor((x * SHAPE[2]) / FULL);
        values[i] = source[(c * SHAPE[1] + row) * SHAPE[2] + column]! * (0.6 + 0.4 * Math.cos(x + 2 * y));
      }
    }
  }
  const { bytes, scale } = pack(values);
  model.reply(
    { kind: "tile", req, key, top, left, height, width, header: { shape: [SHAPE[0], h, w], scale } },
    [bytes, picture(FULL, t, l, h, w)],
  );
}

if (model.get("frame") === "original") {
  encoded().then((file) =>
    model.set("_originals", [query.get("frame") === "broken" ? file.slice(0, 40) : file]),
  );
}
for (let i = 1; i < Number(query.get("count") ?? 1); i++) {
  document.body.append(Object.assign(document.createElement("div"), { className: "view" }));
}
for (const el of document.querySelectorAll<HTMLElement>(".view")) widget.render({ model, el });
