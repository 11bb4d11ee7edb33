import type { Store } from "../state/store";
import { make, setAttribute, setText, uniqueId } from "./dom";
import type { Scene } from "./scene";

/** Which method makes the map: the menu that Python's registry of methods gives. */
export class Methods {
  readonly element: HTMLElement;
  readonly #select = make("select", { id: uniqueId("method") });
  readonly #summary = make("p", { class: "quiet" });
  #listed = "";

  constructor(store: Store, signal: AbortSignal) {
    this.#select.addEventListener("change", () => store.choose({ method: this.#select.value }), { signal });
    const label = make("label", { for: this.#select.id }, "Method");
    this.element = make("div", { class: "method" }, label, this.#select, this.#summary);
  }

  update({ store, drawn }: Scene): void {
    const own = drawn?.header.method;
    const { methods: all } = store.traits.catalogue;
    const known = all.some((one) => one.name === own?.name);
    const methods = own && !known ? [{ ...own, summary: "", parameters: [] }, ...all] : all;
    this.element.hidden = methods.length < 2;
    const listed = methods.map((one) => `${one.name} ${one.label}`).join("\n");
    if (listed !== this.#listed) {
      this.#listed = listed;
      this.#select.replaceChildren(...methods.map((one) => make("option", { value: one.name }, one.label)));
    }
    methods.forEach((one, at) => {
      const option = this.#select.options[at]!;
      option.disabled = one.name !== own?.name && !store.can({ method: one.name });
    });
    const chosen = store.want.method;
    if (this.#select.value !== chosen) this.#select.value = chosen;
    const summary = methods.find((one) => one.name === chosen)?.summary ?? "";
    setText(this.#summary, summary);
    setAttribute(this.#select, "title", summary || null);
  }
}
