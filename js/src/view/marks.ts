import { outlineOf, type Shape } from "../map/outline";
import { type Box, type Edges, isOf, type Spots } from "../map/spots";
import { boxWords } from "./boxes";
import { make, setAttribute, setText } from "./dom";
import type { Framing } from "./framing";
import type { Scene } from "./scene";
import { same } from "./surface";
import { lay, placedIn, type Rect } from "./viewport";

const SVG = "http://www.w3.org/2000/svg";

/** What is pointed at, and the region that is being drawn. */
export interface Aim {
  readonly box: Box | null;
  readonly region: Edges | null;
}

/** What the map on display is of: a pixel, a region, a box; and the boxes that could be chosen instead, quietly. */
export function makeMarks() {
  const element = make("div.marks");
  const chosen = make("div.mark", { "data-chosen": true, hidden: true });
  const drawn = make("div.mark", { "data-drawn": true, hidden: true });
  const boxes: HTMLElement[] = [];
  let shown: readonly Box[] = [];
  let put: (mark: HTMLElement, edges: Edges | null) => void = () => {};
  let aim: Aim = { box: null, region: null };
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("preserveAspectRatio", "none");
  // A light line under the accent, as around a box.
  const paths = [1, 2].map(() => svg.appendChild(document.createElementNS(SVG, "path")));
  let known: readonly unknown[] = [];
  let outlined: Shape | null = null;
  element.append(svg, chosen, drawn);

  function update(scene: Scene, framing: Framing, seen: Rect): void {
    const { spots } = scene.info;
    element.hidden = !spots;
    if (!spots) return;
    const { store } = scene;
    const { height, width } = spots;
    put = (mark, edges) => {
      mark.hidden = !edges;
      if (!edges) return;
      const [top, left, bottom, right] = edges;
      const area = { top, left, height: bottom - top, width: right - left };
      lay(mark, placedIn(framing.picture, [width, height], area, seen));
    };
    const target = scene.drawn?.header.target ?? null;
    shown = shownBoxes(spots, store.traits.boxThreshold, target);
    while (boxes.length > shown.length) boxes.pop()!.remove();
    while (boxes.length < shown.length) {
      const mark = make("div.mark.box-mark", make("span"));
      boxes.push(mark);
      element.insertBefore(mark, chosen);
    }
    shown.forEach((box, i) => {
      const mark = boxes[i]!;
      put(mark, box.edges);
      setText(mark.firstChild!, boxWords(box));
      setAttribute(mark, "data-chosen", target !== null && isOf(box, target));
    });
    // Asked only when it may have changed, and not in each frame of a drag.
    const now = [store.canAsk, store.traits.headers, target, spots, shown.length];
    if (!same(now, known)) {
      known = now;
      shown.forEach(({ index, place }, i) => {
        setAttribute(boxes[i]!, "data-rest", !store.can({ index, place }));
      });
    }
    // A region that is no box of the model's own is marked too.
    const one = target && !shown.some((box) => isOf(box, target)) ? target : null;
    const place = one?.place ?? [];
    put(chosen, edgesOf(place));
    setAttribute(chosen, "data-pixel", place.length === 2);
    outline(target?.mask ?? null, spots, framing, seen);
    point(aim);
  }

  function outline(mask: Shape | null, { height, width }: Spots, framing: Framing, seen: Rect): void {
    svg.style.display = mask ? "" : "none";
    if (!mask) return;
    if (mask !== outlined) {
      const path = outlineOf(mask);
      for (const one of paths) one.setAttribute("d", path);
      svg.setAttribute("viewBox", `0 0 ${width / mask.step} ${height / mask.step}`);
      outlined = mask;
    }
    lay(svg, placedIn(framing.picture, [1, 1], { top: 0, left: 0, height: 1, width: 1 }, seen));
  }

  function point(at: Aim): void {
    aim = at;
    shown.forEach((box, i) => {
      setAttribute(boxes[i]!, "data-aim", box === at.box);
    });
    put(drawn, at.region);
  }

  return { element, update, point };
}

/** The boxes that can be seen and pointed at; the one that is looked at always can. */
export function shownBoxes(
  { boxes }: Spots,
  least: number,
  target: { index: number | null; place: readonly number[] } | null,
): Box[] {
  return boxes.filter((box) => box.probability >= least || (target !== null && isOf(box, target)));
}

function edgesOf(place: readonly number[]): Edges | null {
  const [top, left, bottom, right] = place;
  if (top === undefined || left === undefined) return null;
  // A pixel is marked about its middle, because it may be too small to be seen.
  return bottom === undefined || right === undefined
    ? [top + 0.5, left + 0.5, top + 1.5, left + 1.5]
    : [top, left, bottom, right];
}
