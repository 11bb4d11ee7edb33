import type { Store } from "../state/store";
import { listen, make, setAttribute, setText, uniqueId } from "./dom";
import type { Scene } from "./scene";

/** Which method makes the map: the menu that Python's registry of methods gives. */
export function makeMethods(store: Store) {
  const select = make("select", { id: uniqueId("method") });
  const summaryLine = make("p.quiet");
  let listedAs = "";
  listen(select, "change", () => store.choose({ method: select.value }));
  const label = make("label", { for: select.id }, "Method");
  const element = make("div.method", label, select, summaryLine);

  function update({ store, drawn }: Scene): void {
    const own = drawn?.header.method;
    const { methods: all } = store.traits.catalogue;
    const known = all.some((one) => one.name === own?.name);
    const methods = own && !known ? [{ ...own, summary: "", parameters: [] }, ...all] : all;
    element.hidden = methods.length < 2;
    const listed = methods.map((one) => `${one.name} ${one.label}`).join("\n");
    if (listed !== listedAs) {
      listedAs = listed;
      select.replaceChildren(...methods.map((one) => make("option", { value: one.name }, one.label)));
    }
    methods.forEach((one, at) => {
      const option = select.options[at]!;
      option.disabled = one.name !== own?.name && !store.can({ method: one.name });
    });
    const chosen = store.want.method;
    if (select.value !== chosen) select.value = chosen;
    const summary = methods.find((one) => one.name === chosen)?.summary ?? "";
    setText(summaryLine, summary);
    setAttribute(select, "title", summary || null);
  }

  return { element, update };
}
