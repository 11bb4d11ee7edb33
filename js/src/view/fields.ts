import { listen, make, uniqueId } from "./dom";

export interface Option {
  readonly value: string;
  readonly label: string;
  readonly disabled?: boolean;
  readonly title?: string;
}

/** A native select with its label; options are made anew only where they changed. */
export function makeSelect(name: string, chosen: (value: string) => void) {
  const input = make("select", { id: uniqueId("select") });
  let listedAs = "";
  listen(input, "change", () => chosen(input.value));
  const element = make("div.field", make("label", { for: input.id }, name), input);

  function update(options: readonly Option[], value: string): void {
    const listed = JSON.stringify(options);
    if (listed !== listedAs) {
      listedAs = listed;
      input.replaceChildren(
        ...options.map((one) =>
          make("option", { value: one.value, disabled: one.disabled, title: one.title }, one.label),
        ),
      );
    }
    if (input.value !== value) input.value = value;
  }

  return { element, input, update };
}

/** A row of radio buttons that looks like one control. */
export function makeRadios(legend: string, options: readonly Option[], chosen: (value: string) => void) {
  const radios = new Map<string, HTMLInputElement>();
  const name = uniqueId("radios");
  const row = make("div.options");
  for (const { value, label, title } of options) {
    const radio = make("input", { type: "radio", name, value, title });
    listen(radio, "change", () => chosen(value));
    radios.set(value, radio);
    row.append(make("label", radio, make("span", label)));
  }
  const element = make("fieldset.radios", make("legend", legend), row);

  function update(value: string): void {
    for (const [own, radio] of radios) radio.checked = own === value;
  }

  return { element, update };
}

export function makeCheckbox(name: string, chosen: (on: boolean) => void, title = "") {
  const input = make("input", { type: "checkbox" });
  listen(input, "change", () => chosen(input.checked));
  const element = make("label.check", { title: title || null }, input, name);

  function update(on: boolean): void {
    if (input.checked !== on) input.checked = on;
  }

  return { element, input, update };
}

/** What is one step away: folded until it is asked for. */
export function fold(name: string, ...children: (Node | null)[]): HTMLDetailsElement {
  const body = make("div.fold");
  for (const child of children) if (child) body.append(child);
  return make("details.step", make("summary", name), body);
}

export function button(name: string, act: () => void, title = ""): HTMLButtonElement {
  const element = make("button.small", { title: title || null }, name);
  listen(element, "click", act);
  return element;
}
