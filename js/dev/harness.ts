/** The widget on a page of its own, with made-up maps and a kernel that is a timer. See harness.html. */
import widget from "../src/index";
import { FakeModel, gradientMap, headerFor, pack, single } from "./fake";

const query = new URLSearchParams(location.search);
const SIDE = Number(query.get("side") ?? 224);
const GRID = Number(query.get("grid") ?? 0);
const SHAPE = GRID ? ([1, GRID, GRID] as const) : ([3, SIDE, SIDE] as const);
const NAMES: Record<number, string> = {
  281: "tabby, tabby cat",
  282: "tiger cat",
  285: "Egyptian cat",
  287: "lynx, catamount",
  292: "tiger, Panthera tigris",
};

function picture(): Uint8Array {
  const rgb = new Uint8Array(3 * SIDE * SIDE);
  for (let y = 0, i = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, i += 3) {
      const ring = 128 + 90 * Math.sin(Math.hypot(x - 110, y - 95) / 9);
      rgb[i] = ring;
      rgb[i + 1] = (ring + y) / 2;
      rgb[i + 2] = (x + y) / 2;
    }
  }
  return rgb;
}

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
      prediction: probable.map((index, i) => ({
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
      original: { height: 300, width: 451, box: [18.75, 94.25, 281.25, 356.75] },
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
  }),
);
given.theModel = model;

function hold(index: number, values = gradientMap(SHAPE, index)): string {
  const headers = model.get("_maps") as unknown[];
  const slot = headers.length;
  const { bytes, scale } = pack(values);
  model.set(`_slot_${slot}`, new DataView(bytes.buffer));
  const header = headerFor(index, labels[index]!, SHAPE, scale, slot);
  const other = GRID
    ? { unit: "logit", method: { name: "grad-cam", label: "Grad-CAM", parameters: { layer: null } } }
    : {};
  model.set("_maps", [...headers, { ...header, ...other }]);
  return `gradient/logit/${index}`;
}

const kind = query.get("state");
if (kind !== "empty") {
  const values = gradientMap(SHAPE, 282);
  if (kind === "zero") values.fill(0);
  if (kind === "nan") values.fill(Number.NaN);
  if (kind === "missing") values.fill(Number.NaN, 5000, 5400);
  hold(282, values);
  if (kind !== "zero" && kind !== "nan") hold(285);
}

let running: ReturnType<typeof setTimeout> | undefined;
model.kernel = (message) => {
  const { req, want } = message as { req: string; want: { target: { index: number } } };
  if (kind === "silent") return;
  if (message.kind === "cancel") {
    clearTimeout(running);
    model.reply({ kind: "cancelled", req, reason: "stopped" });
  }
  if (message.kind !== "request") return;
  setTimeout(() => model.reply({ kind: "accepted", req }), 20);
  const { index } = want.target;
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
        const key = hold(index);
        model.reply({ kind: "done", req, key });
      }
    },
    Number(query.get("delay") ?? 800),
  );
};

for (const el of document.querySelectorAll<HTMLElement>(".view")) widget.render({ model, el });
