import { percent, shorten } from "../map/format";
import type { Store } from "../state/store";
import { Combobox } from "./combobox";
import { make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

interface Row {
  readonly index: number;
  readonly label: string;
  readonly probability: number | null;
}

/** The most probable classes, those that were asked for, and a search over all. */
export class Classes {
  readonly element: HTMLElement;
  readonly #combobox: Combobox;
  readonly #list = make("ul", { class: "classes", "aria-label": "Classes" });
  readonly #rest = make(
    "p",
    { class: "quiet" },
    "Without a kernel, only the classes that are here can be shown.",
  );
  readonly #buttons = new Map<number, HTMLButtonElement>();

  constructor(store: Store, signal: AbortSignal) {
    this.#combobox = new Combobox("Class", signal, (index) => store.choose(index));
    this.#list.addEventListener(
      "click",
      (event) => {
        const button = (event.target as Element).closest("button");
        if (button) store.choose(Number(button.dataset.index));
      },
      { signal },
    );
    this.element = make("section", { class: "choose", "aria-label": "Class" });
    this.element.append(this.#combobox.element, this.#list, this.#rest);
  }

  update(scene: Scene): void {
    const { store, labels, info, drawn } = scene;
    const can = (index: number) => store.canAsk || store.held(index) !== null;
    const rows = rowsOf(scene);
    const shown = drawn?.header.target.index ?? null;
    const wanted = store.wanted?.target.index ?? null;
    this.#arrange(rows);
    for (const row of rows) {
      const button = this.#buttons.get(row.index)!;
      const [name, meter, number] = [...button.children] as HTMLElement[];
      setText(name!, shorten(row.label, 200));
      setAttribute(name!, "title", row.label.slice(0, 500));
      meter!.style.setProperty("--share", String(Math.max(0, Math.min(1, row.probability ?? 0))));
      setText(number!, row.probability === null ? "" : percent(100 * row.probability, true));
      setAttribute(button, "aria-pressed", String(row.index === shown));
      setAttribute(button, "aria-busy", row.index === wanted ? "true" : null);
      setAttribute(button, "data-held", store.held(row.index) !== null);
      button.disabled = !can(row.index);
    }
    this.#rest.hidden = store.canAsk;
    const first = rows.map((row) => row.index);
    const named = wanted ?? shown ?? info.prediction[0]?.index ?? null;
    this.#combobox.update({ labels, first, can }, named === null ? "" : labels.name(named));
  }

  #arrange(rows: readonly Row[]): void {
    const now = rows.map((row) => row.index);
    if (now.join() === [...this.#buttons.keys()].join()) return;
    // Buttons are kept, and moved only where the order is new: a moved element would lose the focus.
    const known = new Map(this.#buttons);
    this.#buttons.clear();
    for (const index of now) this.#buttons.set(index, known.get(index) ?? rowButton(index));
    for (const [index, button] of known) if (!this.#buttons.has(index)) button.parentElement?.remove();
    [...this.#buttons.values()].forEach((button, at) => {
      const item = button.parentElement ?? make("li", {}, button);
      if (this.#list.children[at] !== item) this.#list.insertBefore(item, this.#list.children[at] ?? null);
    });
  }
}

function rowButton(index: number): HTMLButtonElement {
  return make(
    "button",
    { type: "button", "data-index": index },
    make("span", { class: "name" }),
    make("span", { class: "meter", "aria-hidden": "true" }),
    make("span", { class: "number" }),
  );
}

function rowsOf({ store, info, labels }: Scene): Row[] {
  const rows = new Map<number, Row>();
  for (const one of info.prediction) rows.set(one.index, one);
  for (const header of store.headers) {
    const { index, label } = header.target;
    if (index !== null && !rows.has(index) && store.held(index) === header) {
      rows.set(index, { index, label, probability: header.probability });
    }
  }
  const wanted = store.wanted?.target.index;
  if (wanted !== undefined && !rows.has(wanted)) {
    rows.set(wanted, { index: wanted, label: labels.name(wanted), probability: null });
  }
  return [...rows.values()];
}
