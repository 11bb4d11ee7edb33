import { percent, shorten } from "../map/format";
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
    const [best] = info.prediction;
    element.hidden = !best && info.notes.length === 0;
    const name = best ? labels.distinct(best.index, best.label) : "";
    const [before, after] = best ? sayings(info) : ["", ""];
    setText(lead, before);
    setText(label, shorten(name));
    setText(probability, after);
    setAttribute(probability, "data-value", best?.probability);
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

/**
 * The words before and after the most probable class. Scores that go through a sigmoid do not choose among classes: one of 3 %
 * is not what the model says.
 */
function sayings({ prediction, probabilityKind }: Info): [string, string] {
  const probability = prediction[0]?.probability ?? null;
  if (probability === null) return ["The model says ", ""];
  const share = percent(100 * probability);
  if (probabilityKind === "sigmoid") return ["The model gives ", ` a probability of ${share}`];
  return ["The model says ", ` with probability ${share}`];
}
