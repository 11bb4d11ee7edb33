import { entry } from "../map/colour";
import { number3 } from "../map/format";
import { make } from "./dom";
import { scaleWords } from "./legend";
import { titleOf } from "./notice";
import type { Scene } from "./scene";
import { keptWords } from "./words";

const SCALE = 2;
const MARGIN = 12;
const LINE = 18;
const BAR = 10;
/** Room for words and numbers below the narrowest picture. */
const NARROWEST = 320;
const STEPS = 513;
const FONT = "13px system-ui, sans-serif";
const INK = "#212121";
const QUIET = "#5f6368";

/**
 * Puts a picture of the map on display on the clipboard: its layers as they are seen, what it is of above them, the scale and its
 * unit below. Where a page may not reach the clipboard it is saved as a file. Tells which, in words.
 */
export async function copyPicture(view: HTMLElement, scene: Scene): Promise<string> {
  const canvas = drawn(view, scene);
  const blob = new Promise<Blob>((done, fail) =>
    canvas.toBlob((made) => (made ? done(made) : fail(new Error("no picture")))),
  );
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    return "Copied";
  } catch {
    const href = URL.createObjectURL(await blob);
    make("a", { href, download: "saliency.png" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    return "Saved as a file";
  }
}

function drawn(view: HTMLElement, scene: Scene): HTMLCanvasElement {
  const layers = view.querySelector(".layers")!;
  const frame = layers.getBoundingClientRect();
  const { height } = frame;
  const width = Math.max(frame.width, NARROWEST);
  const canvas = make("canvas");
  const pen = canvas.getContext("2d")!;
  const write = (lines: readonly string[], colour: string, from: number) => {
    pen.fillStyle = colour;
    pen.font = FONT;
    for (const [at, line] of lines.entries()) pen.fillText(line, MARGIN, from + (at + 0.8) * LINE);
  };
  pen.font = FONT;
  const title = wrapped(pen, titleOf(scene.notice), width);
  const shown = scene.drawn;
  const kept = shown && shown.level > 0 ? ` · ${keptWords(shown)}` : "";
  const words = shown ? wrapped(pen, scaleWords(scene, shown) + kept, width) : [];
  const top = MARGIN + title.length * LINE + 4;
  const bar = top + height + 8;
  canvas.width = SCALE * (width + 2 * MARGIN);
  canvas.height = SCALE * (bar + BAR + (words.length + 1) * LINE + MARGIN);
  pen.scale(SCALE, SCALE);
  // On paper, whatever the theme: it goes into documents.
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingEnabled = false;
  for (const layer of layers.querySelectorAll("canvas")) {
    if (layer.hidden || !layer.width) continue;
    const { left, top: above, width: across, height: down } = layer.getBoundingClientRect();
    pen.globalAlpha = Number(layer.style.opacity || 1);
    pen.filter = layer.style.filter || "none";
    pen.drawImage(layer, MARGIN + left - frame.left, top + above - frame.top, across, down);
  }
  pen.globalAlpha = 1;
  pen.filter = "none";
  drawMarks(pen, layers.nextElementSibling!, [MARGIN - frame.left, top - frame.top]);
  if (shown && shown.level > 0) {
    const { level, table } = shown;
    const least = scene.sign === "signed" || scene.sign === "negative" ? -level : 0;
    const most = scene.sign === "negative" ? 0 : level;
    const strip = make("canvas", { width: STEPS, height: 1 });
    const steps = Uint32Array.from(
      { length: STEPS },
      (_, at) => table.packed[entry(least + ((most - least) * at) / (STEPS - 1), level, scene.sign)]!,
    );
    strip.getContext("2d")!.putImageData(new ImageData(new Uint8ClampedArray(steps.buffer), STEPS), 0, 0);
    pen.drawImage(strip, MARGIN, bar, width, BAR);
    write([number3(least)], INK, bar + BAR);
    pen.textAlign = "right";
    pen.fillText(number3(most), MARGIN + width, bar + BAR + 0.8 * LINE);
    pen.textAlign = "left";
  }
  write(title, INK, MARGIN);
  write(words, QUIET, bar + BAR + LINE);
  return canvas;
}

/** What a score is of, and the boxes beside it, as they lie over the picture. */
function drawMarks(
  pen: CanvasRenderingContext2D,
  marks: Element,
  [across, down]: readonly [number, number],
): void {
  const frame = marks.getBoundingClientRect();
  pen.save();
  const edge = new Path2D();
  edge.rect(frame.left + across, frame.top + down, frame.width, frame.height);
  pen.clip(edge);
  const stroke = (path: Path2D, colour: string, width: number) => {
    for (const [style, wide] of [
      ["#fff", width + 2],
      [colour, width],
    ] as const) {
      pen.strokeStyle = style;
      pen.lineWidth = wide;
      pen.stroke(path);
    }
  };
  for (const mark of marks.querySelectorAll<HTMLElement | SVGPathElement>(
    ".mark:not([hidden]), path:last-child",
  )) {
    const look = getComputedStyle(mark);
    const path = new Path2D();
    if (mark instanceof SVGPathElement) {
      const { a, d, e, f } = mark.getScreenCTM() ?? new DOMMatrix();
      if (mark.checkVisibility?.())
        path.addPath(new Path2D(mark.getAttribute("d") ?? ""), { a, d, e: e + across, f: f + down });
      stroke(path, look.stroke, 2);
      continue;
    }
    const { left, top, width, height } = mark.getBoundingClientRect();
    path.rect(left + across, top + down, width, height);
    const chosen = mark.hasAttribute("data-chosen");
    stroke(path, chosen ? look.borderTopColor : INK, chosen ? 2 : 1);
    pen.fillStyle = INK;
    pen.fillRect(
      left + across,
      top + down,
      mark.textContent ? pen.measureText(mark.textContent).width + 8 : 0,
      LINE,
    );
    pen.fillStyle = "#fff";
    pen.fillText(mark.textContent ?? "", left + across + 4, top + down + 0.8 * LINE);
  }
  pen.restore();
}

function wrapped(pen: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width > width && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
