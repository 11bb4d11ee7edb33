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
    this.#select.addEventListener("change", () => store.chooseMethod(this.#select.value), { signal });
    const label = make("label", { for: this.#select.id }, "Method");
    this.element = make("div", { class: "method" }, label, this.#select, this.#summary);
  }

  update({ store, info, drawn }: Scene): void {
    const own = drawn?.header.method;
    const known = info.methods.some((one) => one.name === own?.name);
    const methods = own && !known ? [{ ...own, summary: "" }, ...info.methods] : info.methods;
    this.element.hidden = methods.length < 2;
    const listed = methods.map((one) => `${one.name} ${one.label}`).join("\n");
    if (listed !== this.#listed) {
      this.#listed = listed;
      this.#select.replaceChildren(...methods.map((one) => make("option", { value: one.name }, one.label)));
    }
    const index = store.index;
    methods.forEach((one, at) => {
      const option = this.#select.options[at]!;
      const here = index !== null && store.heldAs({ ...store.want(index), method: one.name }) !== null;
      option.disabled = one.name !== own?.name && (index === null || !(store.canAsk || here));
    });
    const chosen = store.wanted?.method ?? own?.name ?? "";
    if (this.#select.value !== chosen) this.#select.value = chosen;
    const summary = methods.find((one) => one.name === chosen)?.summary ?? "";
    setText(this.#summary, summary);
    setAttribute(this.#select, "title", summary || null);
  }
}
