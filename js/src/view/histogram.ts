import type { Field } from "../map/field";
import { type Axis, alongBar, countsAlong, positionAt } from "./axis";
import { make } from "./dom";

const SVG = "http://www.w3.org/2000/svg";
/** Odd, so that zero lies in the middle of a bin of a signed map. */
const BINS = 129;
const HEIGHT = 100;

/** How many values there are of each strength, over the colours they have. */
export class Histogram {
  readonly element: HTMLElement;
  readonly #path = document.createElementNS(SVG, "path");
  readonly #hidden = make("span", { class: "hides", hidden: true });
  readonly #bend = [0, 1].map(() => make("span", { class: "bend", hidden: true }));
  #drawn: { field: Field; axis: Axis } | null = null;

  constructor() {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${BINS} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.append(this.#path);
    this.element = make("div", { class: "histogram", "aria-hidden": "true" });
    this.element.append(svg, this.#hidden, ...this.#bend);
  }

  /** `cut` is the magnitude below which values are hidden; 0 where none is. */
  update(field: Field | null, axis: Axis, cut: number): void {
    this.#hide(field, axis, cut);
    const before = this.#drawn;
    if (before && before.field === field && before.axis.end === axis.end && before.axis.bend === axis.bend)
      return;
    this.#drawn = field && { field, axis };
    this.#path.setAttribute("d", field && !field.zero ? outline(countsAlong(field, axis, BINS)) : "");
    const bends = field && axis.bend < axis.end ? alongBar(field.sign, positionAt(axis, axis.bend)) : [];
    this.#bend.forEach((mark, i) => {
      mark.hidden = bends[i] === undefined;
      mark.style.left = `${100 * (bends[i] ?? 0)}%`;
    });
  }

  #hide(field: Field | null, axis: Axis, cut: number): void {
    const at = field && cut > 0 ? positionAt(axis, cut) : 0;
    this.#hidden.hidden = at === 0;
    if (!field || at === 0) return;
    const ends = [...alongBar(field.sign, at), ...alongBar(field.sign, 0)];
    const from = Math.min(...ends);
    this.#hidden.style.left = `${100 * from}%`;
    this.#hidden.style.width = `${100 * (Math.max(...ends) - from)}%`;
  }
}

/** The outline of bars whose heights go with the logarithms of the counts. */
export function outline(counts: Uint32Array): string {
  const most = Math.log1p(Math.max(...counts));
  if (most === 0) return "";
  const steps = [...counts].map((count, b) => {
    const top = HEIGHT - (HEIGHT * Math.log1p(count)) / most;
    return `V${Number(top.toFixed(1))}H${b + 1}`;
  });
  return `M0 ${HEIGHT}${steps.join("")}V${HEIGHT}Z`;
}
