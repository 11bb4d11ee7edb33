import type { Store } from "../state/store";
import { MOST_PANELS } from "../state/traits";
import { type Change, same, type Want } from "../state/want";
import { make, setText } from "./dom";
import { button, fold } from "./fields";
import type { Scene } from "./scene";

/** Methods that differ most in how they ask, for a first comparison. */
const METHODS = ["gradient", "input-x-gradient", "smoothgrad", "integrated-gradients", "grad-cam"];

/** Puts further maps beside the one that is shown. */
export class Compare {
  readonly element: HTMLDetailsElement;
  readonly #words = make("p", { class: "quiet" });
  readonly #clear: HTMLButtonElement;
  readonly #images: HTMLButtonElement;
  readonly #models: HTMLButtonElement;
  readonly #classes: HTMLButtonElement;

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    const { traits } = store;
    const all = (number: number, change: (at: number) => Change) =>
      Array.from({ length: number }, (_, at) => store.like(change(at)));
    const add = (name: string, wants: () => Want[]) => button(name, signal, () => this.#add(wants()));
    this.#classes = add("Likely classes", () =>
      store.info.prediction.map(({ index }) => store.like({ index, other: null })),
    );
    this.#images = add("All images", () => all(traits.catalogue.images.length, (image) => ({ image })));
    this.#models = add("All models", () => all(traits.catalogue.models.length, (model) => ({ model })));
    this.#clear = button("Clear", signal, () => this.#put([]));
    const row = make("div", { class: "buttons" });
    row.append(
      add("This map", () => [store.want]),
      this.#classes,
      add("Usual methods", () =>
        METHODS.filter((name) => traits.catalogue.methods.some((one) => one.name === name)).map((method) =>
          store.like({ method }),
        ),
      ),
      this.#images,
      this.#models,
      this.#clear,
    );
    this.element = fold("Compare", this.#words, row);
  }

  update({ store, panels, info }: Scene): void {
    const { images, models } = store.traits.catalogue;
    this.#images.hidden = images.length < 2;
    this.#models.hidden = models.length < 2;
    this.#classes.hidden = info.prediction.length < 2;
    this.#clear.disabled = panels.length === 0;
    setText(
      this.#words,
      panels.length === 0
        ? "Put maps beside this one, with one pointer and one zoom."
        : `${panels.length} of at most ${MOST_PANELS} beside this one.`,
    );
  }

  #add(wants: readonly Want[]): void {
    const { store } = this;
    const now = [...store.traits.panels];
    const pinned = wants.length === 1 && same(wants[0]!, store.want);
    for (const want of wants) {
      const there = now.some((one) => same(one, want)) || (!pinned && same(want, store.want));
      if (!there) now.push(want);
    }
    if (now.length > 0 && store.traits.panels.length === 0) store.set("scale", "shared");
    this.#put(now.slice(0, MOST_PANELS));
  }

  #put(wants: readonly Want[]): void {
    this.store.set("panels", wants);
    if (wants.length === 0 && this.store.traits.scale === "shared") this.store.set("scale", "own");
    this.store.save();
  }
}
