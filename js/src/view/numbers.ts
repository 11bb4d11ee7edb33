import { isLight, type Rgb } from "./blend";
import { make } from "./dom";
import { penOf } from "./surface";
import type { Extent, Rect } from "./viewport";

/** A pixel is large enough for its number from so many pixels of the page on. */
export const ROOM = 48;

/** What is written into a pixel. */
export interface Written {
  readonly lines: readonly string[];
  /** The colour it is written on. */
  readonly on: Rgb;
}

/** A value written where it is, for pixels that are large enough. */
export function makeNumbers() {
  const element = make("canvas", { "data-layer": "numbers", hidden: true });
  let shown = false;

  function clear(): void {
    if (!shown) return;
    shown = false;
    element.hidden = true;
    setCount(element, null);
  }

  /** `boxes` are in fractions of what is seen. */
  function draw(
    boxes: readonly { at: Rect; written: Written }[],
    { width, height }: Extent,
    ratio: number,
  ): void {
    element.hidden = false;
    shown = true;
    setCount(element, boxes.length);
    const pen = penOf(element, Math.max(1, width), Math.max(1, height));
    if (!pen) return;
    pen.clearRect(0, 0, width, height);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const family = getComputedStyle(element).fontFamily || "sans-serif";
    for (const { at, written } of boxes) {
      const w = at.width * width;
      const x = at.left * width + w / 2;
      const y = at.top * height + (at.height * height) / 2;
      const size = Math.min(15 * ratio, Math.max(9 * ratio, w / 5.2));
      pen.font = `500 ${size}px ${family}`;
      const dark = isLight(written.on);
      pen.fillStyle = dark ? "#000" : "#fff";
      // A halo, because the colours round about may be others.
      pen.strokeStyle = dark ? "rgba(255, 255, 255, 0.55)" : "rgba(0, 0, 0, 0.55)";
      pen.lineWidth = 2 * ratio;
      written.lines.forEach((line, i) => {
        const down = y + (i - (written.lines.length - 1) / 2) * size * 1.15;
        pen.strokeText(line, x, down, w - 4 * ratio);
        pen.fillText(line, x, down, w - 4 * ratio);
      });
    }
  }

  return { element, clear, draw };
}

function setCount(element: HTMLElement, count: number | null): void {
  if (count === null) delete element.dataset.count;
  else element.dataset.count = String(count);
}
