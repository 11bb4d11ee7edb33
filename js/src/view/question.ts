import { kindAt, quantityOf } from "../map/spots";
import type { Store } from "../state/store";
import { makeCombobox, noKernel } from "./combobox";
import { make, setText } from "./dom";
import { button, makeSelect } from "./fields";
import type { Scene } from "./scene";

const EXPLAINED: Record<string, string> = {
  logit: "The score of the class before the softmax or sigmoid.",
  probability: "After it: what another class gains, this one loses.",
  "log-probability": "The logarithm of the probability.",
  margin: "The logit less the greatest logit of another class.",
};
/** What two classes can be compared by, and what can be asked of a class at a place. */
const COMPARED = new Set(["logit", "probability", "log-probability"]);

/** Which score of the class is asked about, and whether it is compared with another class. */
export function makeQuestion(store: Store) {
  const words = make("p.quiet");
  const versus = makeCombobox("Versus", (other) => {
    const { kind } = store.want.target;
    store.choose({ other, kind: COMPARED.has(kind) ? kind : "logit" });
  });
  const nothing = button("No other", () => {
    store.choose({ other: null });
    versus.focus();
  });
  const score = makeSelect("Score", (kind) =>
    store.choose(COMPARED.has(quantityOf(kind)) ? { kind } : { kind, other: null }),
  );
  const row = make("div.versus", versus.element, nothing);
  const element = make("div.question", row, score.element, words);

  function focusVersus(): void {
    versus.focus();
  }

  function update({ store, labels, info }: Scene): void {
    const { kind, index, other, place } = store.want.target;
    const { spots } = info;
    const alone = labels.count < 2;
    element.hidden = index === null;
    // A class at a place is compared with none.
    row.hidden = alone || spots !== null;
    const can = (one: number) => one !== index && store.can({ other: one });
    const first = info.prediction.map((one) => one.index).filter((one) => one !== index);
    versus.update(
      {
        labels,
        first,
        can,
        otherwise: store.canAsk ? "A class is not compared with itself." : noKernel("classes"),
      },
      other === null ? "" : labels.name(other),
      "Nothing: search a class",
    );
    nothing.hidden = other === null;
    nothing.disabled = !store.can({ other: null });
    nothing.title = nothing.disabled ? noKernel("classes") : "";
    // Where nothing makes probabilities, there are none to ask about.
    const all = spots
      ? [...COMPARED].map((of) => ({ kind: kindAt(spots, place, of), label: of }))
      : store.traits.catalogue.scores;
    const known = all.filter(
      (one) =>
        !(alone && one.kind === "margin") &&
        !(info.probabilityKind === "" && one.kind.includes("probability")),
    );
    const scores = known.some((one) => one.kind === kind) ? known : [{ kind, label: kind }, ...known];
    score.update(
      scores.map((one) => ({
        value: one.kind,
        label: one.label,
        disabled: one.kind !== kind && !store.can({ kind: one.kind, other: null }),
      })),
      kind,
    );
    score.element.hidden = scores.length < 2;
    setText(
      words,
      other !== null && index !== null
        ? `What speaks for ${labels.name(index)} rather than for ${labels.name(other)}.`
        : quantityOf(kind) === "probability" && info.probabilityKind !== "softmax"
          ? "After the sigmoid: of this class by itself."
          : (EXPLAINED[quantityOf(kind)] ?? ""),
    );
  }

  return { element, focusVersus, update };
}
