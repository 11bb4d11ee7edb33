import { type Attributes, listen, make, uniqueId } from "./dom";

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
  const name = uniqueId("radios");
  const radios = options.map(({ value, title }) => make("input", { type: "radio", name, value, title }));
  const row = make(
    "div.options",
    ...radios.map((radio, at) => make("label", radio, make("span", options[at]!.label))),
  );
  listen(row, "change", (event) => chosen((event.target as HTMLInputElement).value));
  const element = make("fieldset.radios", make("legend", legend), row);

  /** `offered` are those that can be chosen; all where it is left out. */
  function update(value: string, offered?: readonly string[]): void {
    for (const radio of radios) {
      radio.checked = radio.value === value;
      radio.disabled = offered?.includes(radio.value) === false;
    }
  }

  return { element, update };
}

export function makeCheckbox(name: string, chosen: (on: boolean) => void) {
  const input = make("input", { type: "checkbox" });
  listen(input, "change", () => chosen(input.checked));
  const element = make("label.check", input, name);

  function update(on: boolean): void {
    input.checked = on;
  }

  return { element, update };
}

/** What is one step away: folded until it is asked for. */
export function fold(summary: HTMLElement, ...children: Node[]): HTMLDetailsElement {
  return make("details.step", summary, make("div.fold", ...children));
}

export function button(name: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const element = make("button.small", attributes, name);
  listen(element, "click", () => act());
  return element;
}
