import type { Store } from "../state/store";
import { NO_KERNEL } from "./classes";
import { Combobox } from "./combobox";
import { make, setText } from "./dom";
import { button, Select } from "./fields";
import type { Scene } from "./scene";

const EXPLAINED: Record<string, string> = {
  logit: "The score of the class before the softmax or sigmoid.",
  probability: "After it: what another class gains, this one loses.",
  "log-probability": "The logarithm of the probability.",
  margin: "The logit less the greatest logit of another class.",
};
/** What two classes can be compared by. */
const COMPARED = new Set(["logit", "probability", "log-probability"]);

/** Which score of the class is asked about, and whether it is compared with another class. */
export class Question {
  readonly element: HTMLElement;
  readonly #versus: Combobox;
  readonly #nothing: HTMLButtonElement;
  readonly #row: HTMLElement;
  readonly #score: Select;
  readonly #words = make("p", { class: "quiet" });

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    this.#versus = new Combobox("Versus", signal, (other) => {
      const { kind } = store.want.target;
      store.choose({ other, kind: COMPARED.has(kind) ? kind : "logit" });
    });
    this.#nothing = button("No other", signal, () => {
      store.choose({ other: null });
      this.#versus.focus();
    });
    this.#score = new Select("Score", signal, (kind) =>
      store.choose(COMPARED.has(kind) ? { kind } : { kind, other: null }),
    );
    this.#row = make("div", { class: "versus" }, this.#versus.element, this.#nothing);
    this.element = make("div", { class: "question" }, this.#row, this.#score.element, this.#words);
  }

  focusVersus(): void {
    this.#versus.focus();
  }

  update({ store, labels, info }: Scene): void {
    const { kind, index, other } = store.want.target;
    const alone = labels.count < 2;
    this.element.hidden = index === null;
    this.#row.hidden = alone;
    const can = (one: number) => one !== index && store.can({ other: one });
    const first = info.prediction.map((one) => one.index).filter((one) => one !== index);
    this.#versus.update(
      { labels, first, can, otherwise: store.canAsk ? "A class is not compared with itself." : NO_KERNEL },
      other === null ? "" : labels.name(other),
      "Nothing: search a class",
    );
    this.#nothing.hidden = other === null;
    const known = store.traits.catalogue.scores.filter((one) => !alone || one.kind !== "margin");
    const scores = known.some((one) => one.kind === kind) ? known : [{ kind, label: kind }, ...known];
    this.#score.update(
      scores.map((one) => ({
        value: one.kind,
        label: one.label,
        disabled: one.kind !== kind && !store.can({ kind: one.kind, other: null }),
      })),
      kind,
    );
    this.#score.element.hidden = scores.length < 2;
    setText(
      this.#words,
      other !== null && index !== null
        ? `What speaks for ${labels.name(index)} rather than for ${labels.name(other)}.`
        : kind === "probability" && info.probabilityKind !== "softmax"
          ? "After the sigmoid: of this class by itself."
          : (EXPLAINED[kind] ?? ""),
    );
  }
}
