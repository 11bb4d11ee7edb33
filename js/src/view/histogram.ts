import type { Field } from "../map/field";
import { type Axis, alongBar, binsFor, countsAlong, positionAt } from "./axis";
import { make } from "./dom";

const SVG = "http://www.w3.org/2000/svg";
/** Odd, so that zero lies in the middle of a bin of a signed map. */
const BINS = 129;
const HEIGHT = 100;

/** How many values there are of each strength, over the colours they have. */
export function makeHistogram() {
  const path = document.createElementNS(SVG, "path");
  const hidden = make("span.hides", { hidden: true });
  const bend = [0, 1].map(() => make("span.bend", { hidden: true }));
  let drawn: { field: Field; axis: Axis } | null = null;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.append(path);
  const element = make("div.histogram", { "aria-hidden": "true" });
  element.append(svg, hidden, ...bend);

  /** `cut` is the magnitude below which values are hidden; 0 where none is. */
  function update(field: Field | null, axis: Axis, cut: number): void {
    hide(field, axis, cut);
    const before = drawn;
    if (before && before.field === field && before.axis.end === axis.end && before.axis.bend === axis.bend)
      return;
    drawn = field && { field, axis };
    const bins = field && !field.zero ? binsFor(field, axis, BINS) : BINS;
    svg.setAttribute("viewBox", `0 0 ${bins} ${HEIGHT}`);
    path.setAttribute("d", field && !field.zero ? outline(countsAlong(field, axis, bins)) : "");
    const bends = field && axis.bend < axis.end ? alongBar(field.sign, positionAt(axis, axis.bend)) : [];
    bend.forEach((mark, i) => {
      mark.hidden = bends[i] === undefined;
      mark.style.left = `${100 * (bends[i] ?? 0)}%`;
    });
  }

  function hide(field: Field | null, axis: Axis, cut: number): void {
    const at = field && cut > 0 ? positionAt(axis, cut) : 0;
    hidden.hidden = at === 0;
    if (!field || at === 0) return;
    const ends = [...alongBar(field.sign, at), ...alongBar(field.sign, 0)];
    const from = Math.min(...ends);
    hidden.style.left = `${100 * from}%`;
    hidden.style.width = `${100 * (Math.max(...ends) - from)}%`;
  }

  return { element, update };
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
