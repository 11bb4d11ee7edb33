import type { Store } from "../state/store";
import { MOST_PANELS } from "../state/traits";
import { type Change, same, type Want } from "../state/want";
import { likely } from "./boxes";
import { make, setText } from "./dom";
import { button, fold } from "./fields";
import type { Scene } from "./scene";

/** Methods that differ most in how they ask, for a first comparison. */
const METHODS = ["gradient", "input-x-gradient", "smoothgrad", "integrated-gradients", "grad-cam"];

/** Puts further maps beside the one that is shown. */
export function makeCompare(store: Store) {
  const words = make("p.quiet");
  const { traits } = store;
  const all = (number: number, change: (at: number) => Change) =>
    Array.from({ length: number }, (_, at) => store.like(change(at)));
  const add = (name: string, wants: () => Want[]) => button(name, () => addAll(wants()));
  const classesButton = add("Likely classes", () =>
    likely(store.info).map((change) => store.like({ ...change, other: null })),
  );
  const imagesButton = add("All images", () => all(traits.catalogue.images.length, (image) => ({ image })));
  const modelsButton = add("All models", () => all(traits.catalogue.models.length, (model) => ({ model })));
  const clear = button("Clear", () => put([]));
  const row = make("div.buttons");
  row.append(
    add("This map", () => [store.want]),
    classesButton,
    add("Usual methods", () =>
      METHODS.filter((name) => traits.catalogue.methods.some((one) => one.name === name)).map((method) =>
        store.like({ method }),
      ),
    ),
    imagesButton,
    modelsButton,
    clear,
  );
  const element = fold(make("summary", "Compare"), words, row);

  function update({ store, panels, info }: Scene): void {
    const { images, models } = store.traits.catalogue;
    imagesButton.hidden = images.length < 2;
    modelsButton.hidden = models.length < 2;
    classesButton.hidden = likely(info).length < 2;
    clear.disabled = panels.length === 0;
    setText(
      words,
      panels.length === 0
        ? `Put maps beside this one, with one pointer and one zoom.${store.canAsk ? "" : " Without a kernel, those that are here."}`
        : `${panels.length} of at most ${MOST_PANELS} beside this one.`,
    );
  }

  /** Where nothing can be computed, only what is here is put beside the map. */
  function addAll(asked: readonly Want[]): void {
    const wants = asked.filter((want) => store.canAsk || store.held(want));
    const now = [...store.traits.panels];
    const pinned = asked.length === 1 && same(asked[0]!, store.want);
    for (const want of wants) {
      const there = now.some((one) => same(one, want)) || (!pinned && same(want, store.want));
      if (!there) now.push(want);
    }
    if (now.length > 0 && store.traits.panels.length === 0) store.set("scale", "shared");
    put(now.slice(0, MOST_PANELS));
  }

  function put(wants: readonly Want[]): void {
    store.set("panels", wants);
    if (wants.length === 0 && store.traits.scale === "shared") store.set("scale", "own");
    store.save();
  }

  return { element, update };
}
