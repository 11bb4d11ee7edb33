import { number3 } from "../map/format";
import type { Control, Fields, Info } from "../map/header";
import type { Store } from "../state/store";
import { stable } from "../state/want";
import { listen, make, setAttribute, setText, uniqueId } from "./dom";
import { button, fold } from "./fields";
import type { Scene } from "./scene";

/** A slider has at most so many steps; what has more is typed. */
const STEPS = 1000;
const AUTOMATIC = "chosen for the model";

/** Controls for the parameters of the method, made from what the method declares. */
export function makeParameters(store: Store) {
  const body = make("div.parameters");
  const baseline = make("img.thumb", { alt: "What the method compares the picture with" });
  let madeOf = "";
  let rows: (Row & { readonly control: Control })[] = [];
  const reset = button("Usual values", () => store.choose({ parameters: usual() }));
  const said = make("summary", "Parameters");
  const rest = make(
    "p.quiet",
    "Without a kernel nothing can be computed: these are what the map was made with.",
  );
  const element = fold(said, rest, body, reset);

  function update(scene: Scene): void {
    const { store, info, drawn } = scene;
    const controls = declared();
    element.hidden = controls.length === 0;
    const made = stable([store.want.method, controls, info.layers]);
    if (made !== madeOf) {
      madeOf = made;
      build(controls, info);
    }
    const { parameters } = store.want;
    for (const { control, show } of rows) show(parameters[control.name] ?? null, info);
    const changed = controls.filter(
      (one) => stable(parameters[one.name] ?? null) !== stable(one.default ?? null),
    );
    const names = changed.map((one) => `${one.label.toLowerCase()} ${brief(parameters[one.name])}`);
    setText(said, names.length > 0 ? `Parameters: ${names.join(", ")}` : "Parameters");
    reset.title = store.canAsk ? "" : "This page does not hold the map of the usual values.";
    reset.disabled = changed.length === 0 || !store.can({ parameters: usual() });
    const png = drawn?.header.baseline ?? null;
    baseline.hidden = png === null;
    if (png) setAttribute(baseline, "src", `data:image/png;base64,${png}`);
    rest.hidden = store.canAsk;
    for (const input of body.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")) {
      if (input.disabled === store.canAsk) input.disabled = !store.canAsk;
    }
  }

  function declared(): readonly Control[] {
    return store.traits.catalogue.methods.find((one) => one.name === store.want.method)?.parameters ?? [];
  }

  function usual(): Fields {
    return Object.fromEntries(declared().map((one) => [one.name, one.default]));
  }

  function build(controls: readonly Control[], info: Info): void {
    const of = madeOf;
    rows = controls.map((control) => {
      const choose = (value: unknown) => {
        const { parameters } = store.want;
        // A box that gives way to another method's may say so with a change.
        if (of !== madeOf || stable(parameters[control.name] ?? null) === stable(value)) return;
        store.choose({ parameters: { ...usual(), ...parameters, [control.name]: value } });
      };
      const { element, show } = rowOf(control, info, choose);
      setAttribute(element, "title", control.text || null);
      return { control, element, show };
    });
    body.replaceChildren(...rows.map((row) => row.element));
    const at = rows.findIndex((row) => row.control.name === "baseline");
    if (at >= 0) body.children[at]!.append(baseline);
  }

  return { element, update };
}

interface Row {
  readonly element: HTMLElement;
  readonly show: (value: unknown, info: Info) => void;
}

function rowOf(control: Control, info: Info, choose: (value: unknown) => void): Row {
  switch (control.kind) {
    case "flag":
      return flagRow(control, choose);
    case "choice":
      return selectRow(control, control.options, choose);
    case "layer": {
      const words = Object.fromEntries(
        info.layers.map(({ name, kind, grid }) => [name, `${name} · ${kind} · ${grid[0]} × ${grid[1]}`]),
      );
      return selectRow({ ...control, optional: true }, Object.keys(words), choose, words);
    }
    case "baseline":
      return baselineRow(control, choose);
    case "integer":
    case "number":
      return numberRow(control, choose);
    default:
      return textRow(control);
  }
}

function named({ label }: Control, input: HTMLElement, ...more: HTMLElement[]): HTMLElement {
  input.id = uniqueId("parameter");
  return make("div.parameter", make("label", { for: input.id }, label), input, ...more);
}

function flagRow(control: Control, choose: (value: unknown) => void): Row {
  const input = make("input", { type: "checkbox" });
  listen(input, "change", () => choose(input.checked));
  return { element: named(control, input), show: (value) => (input.checked = value === true) };
}

function selectRow(
  control: Control,
  options: readonly unknown[],
  choose: (value: unknown) => void,
  words: Record<string, string> = {},
): Row {
  const select = make("select");
  let listed: unknown[] = [];
  const list = (value: unknown) => {
    const own = options.some((one) => stable(one) === stable(value)) || (value === null && control.optional);
    // What Python chose and no control offers stays, and can be come back to.
    const all = [...(control.optional ? [null] : []), ...options, ...(own ? [] : [value])];
    if (stable(all) === stable(listed)) return;
    listed = all;
    select.replaceChildren(
      ...all.map((one, at) =>
        make("option", { value: at }, one === null ? AUTOMATIC : (words[String(one)] ?? brief(one))),
      ),
    );
  };
  listen(select, "change", () => choose(listed[Number(select.value)] ?? null));
  const show = (value: unknown) => {
    list(value);
    const at = String(listed.findIndex((one) => stable(one) === stable(value)));
    if (select.value !== at) select.value = at;
  };
  return { element: named(control, select), show };
}

/** The names there are, or a colour. */
function baselineRow(control: Control, choose: (value: unknown) => void): Row {
  const colour = make("input", {
    type: "color",
    "aria-label": `${control.label}: a colour`,
    title: "A colour",
  });
  listen(colour, "change", () =>
    choose([1, 3, 5].map((at) => Number.parseInt(colour.value.slice(at, at + 2), 16) / 255)),
  );
  const { element, show } = selectRow(control, control.options, choose);
  element.append(colour);
  return {
    element,
    show: (value, info) => {
      show(value, info);
      if (Array.isArray(value) && value.length === 3 && value.every((one) => typeof one === "number")) {
        const hex = value.map((one) =>
          Math.round(255 * one)
            .toString(16)
            .padStart(2, "0"),
        );
        colour.value = `#${hex.join("")}`;
      }
    },
  };
}

function numberRow(control: Control, choose: (value: unknown) => void): Row {
  const { least, most, optional } = control;
  const whole = control.kind === "integer";
  const step = control.step ?? (whole ? 1 : null);
  const input = make("input", {
    type: "number",
    min: least,
    max: null,
    step: whole ? 1 : "any",
    placeholder: optional ? "none" : null,
  });
  const ranged = least !== null && most !== null && step !== null && (most - least) / step <= STEPS;
  const slider = ranged
    ? make("input", {
        type: "range",
        min: least,
        max: most,
        step,
        tabindex: -1,
        "data-filled": "before",
        "aria-label": `${control.label}, slider`,
      })
    : null;
  let shown: unknown = null;
  const commit = () => {
    const value = input.valueAsNumber;
    if (input.value === "" && optional) choose(null);
    else if (Number.isFinite(value)) choose(bounded(whole ? Math.round(value) : value, least));
    write();
  };
  listen(input, "change", commit);
  // Outside a form, Enter is no change to a browser.
  listen(input, "keydown", (event) => event.key === "Enter" && commit());
  if (slider) {
    listen(slider, "input", () => (input.value = number(slider.valueAsNumber)));
    listen(slider, "change", () => choose(Number(number(slider.valueAsNumber))));
  }
  const write = () => {
    const odd = shown !== null && typeof shown !== "number";
    input.value = odd || shown === null ? "" : number(shown as number);
    if (odd) input.placeholder = brief(shown);
    if (slider && typeof shown === "number") {
      slider.value = String(shown);
      const share = (slider.valueAsNumber - least!) / (most! - least!);
      slider.style.setProperty("--at", String(share));
    }
  };
  const element = named(control, input, ...(slider ? [slider] : []));
  return {
    element,
    show: (value) => {
      if (stable(value) === stable(shown)) return;
      shown = value;
      write();
    },
  };
}

function textRow(control: Control): Row {
  const output = make("output.quiet", { "aria-live": "off" });
  return { element: named(control, output), show: (value) => setText(output, brief(value)) };
}

function bounded(value: number, least: number | null): number {
  return least === null ? value : Math.max(least, value);
}

/** Without the noise of binary fractions. */
function number(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A value in few words. */
function brief(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : number3(value);
  if (Array.isArray(value)) return value.map(brief).join(" ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value).replaceAll("_", " ");
}
