import { make, uniqueId } from "./dom";

export interface Option {
  readonly value: string;
  readonly label: string;
  readonly disabled?: boolean;
  readonly title?: string;
}

/** A native select with its label; options are made anew only where they changed. */
export class Select {
  readonly element: HTMLElement;
  readonly input = make("select", { id: uniqueId("select") });
  #listed = "";

  constructor(name: string, signal: AbortSignal, chosen: (value: string) => void) {
    this.input.addEventListener("change", () => chosen(this.input.value), { signal });
    this.element = make("div", { class: "field" }, make("label", { for: this.input.id }, name), this.input);
  }

  update(options: readonly Option[], value: string): void {
    const listed = JSON.stringify(options);
    if (listed !== this.#listed) {
      this.#listed = listed;
      this.input.replaceChildren(
        ...options.map((one) =>
          make("option", { value: one.value, disabled: one.disabled, title: one.title }, one.label),
        ),
      );
    }
    if (this.input.value !== value) this.input.value = value;
  }
}

/** A row of radio buttons that looks like one control. */
export class Radios {
  readonly element: HTMLElement;
  readonly #radios = new Map<string, HTMLInputElement>();

  constructor(
    legend: string,
    options: readonly Option[],
    signal: AbortSignal,
    chosen: (value: string) => void,
  ) {
    const name = uniqueId("radios");
    const row = make("div", { class: "options" });
    for (const { value, label, title } of options) {
      const radio = make("input", { type: "radio", name, value, title });
      radio.addEventListener("change", () => chosen(value), { signal });
      this.#radios.set(value, radio);
      row.append(make("label", {}, radio, make("span", {}, label)));
    }
    this.element = make("fieldset", { class: "radios" }, make("legend", {}, legend), row);
  }

  update(value: string): void {
    for (const [own, radio] of this.#radios) radio.checked = own === value;
  }
}

export class Checkbox {
  readonly element: HTMLElement;
  readonly input = make("input", { type: "checkbox" });

  constructor(name: string, signal: AbortSignal, chosen: (on: boolean) => void, title = "") {
    this.input.addEventListener("change", () => chosen(this.input.checked), { signal });
    this.element = make("label", { class: "check", title: title || null }, this.input, name);
  }

  update(on: boolean): void {
    if (this.input.checked !== on) this.input.checked = on;
  }
}

/** What is one step away: folded until it is asked for. */
export function fold(name: string, ...children: (Node | null)[]): HTMLDetailsElement {
  const body = make("div", { class: "fold" });
  for (const child of children) if (child) body.append(child);
  return make("details", { class: "step" }, make("summary", {}, name), body);
}

export function button(name: string, signal: AbortSignal, act: () => void, title = ""): HTMLButtonElement {
  const element = make("button", { type: "button", class: "small", title: title || null }, name);
  element.addEventListener("click", act, { signal });
  return element;
}
