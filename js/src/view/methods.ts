import type { Store } from "../state/store";
import { make, setAttribute, setText } from "./dom";
import { makeSelect } from "./fields";
import type { Scene } from "./scene";

/** Which method makes the map: the menu that Python's registry of methods gives. */
export function makeMethods(store: Store) {
  const select = makeSelect("Method", (method) => store.choose({ method }));
  const summaryLine = make("p.quiet");
  const element = make("div.method", select.element, summaryLine);

  function update({ store, drawn }: Scene): void {
    const own = drawn?.header.method;
    const { methods: all } = store.traits.catalogue;
    const known = all.some((one) => one.name === own?.name);
    const methods = own && !known ? [{ ...own, summary: "" }, ...all] : all;
    element.hidden = methods.length < 2;
    const chosen = store.want.method;
    select.update(
      methods.map(({ name, label }) => ({
        value: name,
        label,
        disabled: name !== own?.name && !store.can({ method: name }),
      })),
      chosen,
    );
    const summary = methods.find((one) => one.name === chosen)?.summary ?? "";
    setText(summaryLine, summary);
    setAttribute(select.input, "title", summary || null);
  }

  return { element, update };
}
