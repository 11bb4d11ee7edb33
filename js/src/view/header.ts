import { number3, percent, shorten } from "../map/format";
import type { Info } from "../map/header";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** What the model says, before any map of it. */
export function makeHeader() {
  const lead = make("span");
  const label = make("strong", { "data-field": "prediction" });
  const probability = make("span", { "data-field": "probability" });
  const model = make("p.quiet.model");
  const notes = make("ul.notes", { "aria-label": "Notes" });
  const says = make("p.says", lead, label, probability);
  const element = make("header", says, model, notes);

  function update({ info, labels }: Scene): void {
    const best = bestOf(info);
    element.hidden = !best && info.notes.length === 0;
    const name = best ? labels.distinct(best.index, best.label) : "";
    const [before, after] = best ? sayings(info) : ["", ""];
    setText(lead, before);
    setText(label, shorten(name));
    setText(probability, after);
    setAttribute(probability, "data-value", info.prediction[0]?.probability);
    setText(model, info.model);
    setAttribute(model, "title", info.preprocess ? `Preprocessing: ${info.preprocess}` : null);
    notes.hidden = info.notes.length === 0;
    const said = [...notes.children].map((one) => one.textContent).join("\n");
    if (said !== info.notes.join("\n")) {
      notes.replaceChildren(...info.notes.map((note) => make("li", note)));
    }
  }

  return { element, update };
}

/** What the model says first. */
export function bestOf({ prediction, spots }: Info): { index: number; label: string } | undefined {
  return spots ? (spots.areas[0] ?? spots.boxes[0]) : prediction[0];
}

/**
 * The words before and after the most probable class. Scores that go through a sigmoid do not choose among classes: one of 3 %
 * is not what the model says.
 */
function sayings({ prediction, probabilityKind, spots }: Info): [string, string] {
  if (spots) {
    const [area] = spots.areas;
    const [box, ...boxes] = spots.boxes;
    if (area) return ["The model sees ", ` in ${percent(100 * area.share)} of the picture`];
    const more = boxes.length === 0 ? "" : `, and ${boxes.length} more box${boxes.length === 1 ? "" : "es"}`;
    return ["The model sees ", ` with probability ${percent(100 * box!.probability)}${more}`];
  }
  const best = prediction[0];
  const probability = best?.probability ?? null;
  if (probability === null && typeof best?.score === "number" && probabilityKind === "")
    return [`The model gives ${number3(best.score)} for `, ""];
  if (probability === null) return ["The model says ", ""];
  const share = percent(100 * probability);
  if (probabilityKind === "sigmoid") return ["The model gives ", ` a probability of ${share}`];
  return ["The model says ", ` with probability ${share}`];
}
