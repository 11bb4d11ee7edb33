import { count, shorten } from "../map/format";
import type { Labels } from "../map/labels";
import { make, rootOf, setAttribute, setText, uniqueId } from "./dom";

const MOST = 50;

export interface Choices {
  readonly labels: Labels;
  /** Listed first when nothing is typed. */
  readonly first: readonly number[];
  /** Whether a class can be chosen now. */
  readonly can: (index: number) => boolean;
  /** Why none of those that were found can be chosen. */
  readonly otherwise: string;
}

/** An editable combobox with a list (WAI-ARIA Authoring Practices), which renders few of however many labels. */
export class Combobox {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #list: HTMLElement;
  readonly #popup: HTMLElement;
  readonly #more = make("p", { class: "quiet more" });
  #choices: Choices | null = null;
  #matches: number[] = [];
  #active = -1;
  #open = false;
  #name = "";

  constructor(
    name: string,
    signal: AbortSignal,
    readonly chosen: (index: number) => void,
  ) {
    const id = uniqueId("combobox");
    this.#list = make("ul", { role: "listbox", id: `${id}-list`, "aria-label": name });
    this.#popup = make("div", { class: "popup", hidden: true }, this.#list, this.#more);
    this.#input = make("input", {
      type: "text",
      id,
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": `${id}-list`,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    this.element = make(
      "div",
      { class: "combobox" },
      make("label", { for: id }, name),
      make("div", { class: "box" }, this.#input, this.#popup),
    );
    const input = this.#input;
    input.addEventListener(
      "click",
      () => {
        this.#select();
        this.#show(true);
      },
      { signal },
    );
    input.addEventListener("input", () => this.#show(false), { signal });
    input.addEventListener("keydown", (event) => this.#key(event), { signal });
    input.addEventListener("blur", () => this.#restore(), { signal });
    // A click on an option must not take the focus from the box before it is a click.
    this.#popup.addEventListener("pointerdown", (event) => event.preventDefault(), { signal });
    this.#popup.addEventListener("mousedown", (event) => event.preventDefault(), { signal });
    this.#list.addEventListener(
      "click",
      (event) => {
        const option = (event.target as Element).closest("[role=option]");
        if (option) this.#choose(Number(option.getAttribute("data-at")));
      },
      { signal },
    );
  }

  /** `name` is what stands in the box when nobody types. */
  update(choices: Choices, name: string, empty = `Search ${count(choices.labels.count)} classes`): void {
    this.#choices = choices;
    setAttribute(this.#input, "placeholder", empty);
    if (name === this.#name) return;
    this.#name = name;
    if (!this.#open) this.#restore();
  }

  focus(): void {
    this.#input.focus();
    this.#select();
  }

  /** Takes the whole name, where nothing else was typed, so that typing replaces it and does not go on from its end. */
  #select(): void {
    const focused = rootOf(this.#input).activeElement === this.#input;
    if (focused && this.#input.value === this.#name) this.#input.select();
  }

  #show(all: boolean): void {
    if (!this.#choices) return;
    const typed = all && this.#input.value === this.#name ? "" : this.#input.value;
    const { matches, total } = this.#choices.labels.find(typed, MOST, this.#choices.first);
    this.#matches = matches;
    this.#list.replaceChildren(...matches.map((index, at) => this.#option(index, at)));
    const rest = total - matches.length;
    const { can, otherwise } = this.#choices;
    const words =
      total === 0
        ? "No class has this in its name."
        : !matches.some(can)
          ? otherwise
          : rest > 0
            ? `${count(rest)} more: type to narrow.`
            : "";
    setText(this.#more, words);
    this.#more.hidden = words === "";
    this.#expand(true);
    this.#activate(typed === "" ? -1 : matches.length > 0 ? 0 : -1);
  }

  #option(index: number, at: number): HTMLElement {
    const { labels, can } = this.#choices!;
    const name = make("span", { class: "name" }, shorten(labels.name(index), 200));
    return make(
      "li",
      {
        role: "option",
        id: `${this.#list.id}-${at}`,
        "data-at": at,
        "data-index": index,
        "aria-selected": "false",
        "aria-disabled": can(index) ? null : "true",
      },
      name,
      make("span", { class: "quiet" }, String(index)),
    );
  }

  #expand(open: boolean): void {
    this.#open = open;
    this.#popup.hidden = !open;
    setAttribute(this.#input, "aria-expanded", String(open));
    if (open) this.#position();
    else this.#activate(-1);
  }

  /** Upwards where the widget has more room there: what hangs out of an output would be cut off. */
  #position(): void {
    const box = this.#input.getBoundingClientRect();
    const widget = this.element.closest(".widget")?.getBoundingClientRect();
    if (!widget) return;
    const below = widget.bottom - box.bottom;
    const above = box.top - widget.top;
    const up = below < 220 && above > below;
    setAttribute(this.#popup, "data-up", up);
    this.#popup.style.maxHeight = `${Math.round(Math.min(320, Math.max(160, (up ? above : below) - 8)))}px`;
  }

  #activate(at: number): void {
    const options = this.#list.children;
    options[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = at;
    const option = options[at];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView?.({ block: "nearest" });
    setAttribute(this.#input, "aria-activedescendant", option?.id);
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const last = this.#matches.length - 1;
    switch (event.key) {
      case "ArrowDown":
        if (!this.#open) this.#show(true);
        if (!event.altKey) this.#activate(this.#active >= last ? 0 : this.#active + 1);
        break;
      case "ArrowUp":
        if (!this.#open) this.#show(true);
        if (event.altKey) this.#expand(false);
        else this.#activate(this.#active <= 0 ? last : this.#active - 1);
        break;
      case "Enter":
        if (this.#open && this.#active >= 0) this.#choose(this.#active);
        break;
      case "Escape":
        if (!this.#open && this.#input.value === this.#name) return;
        this.#restore();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  #choose(at: number): void {
    const index = this.#matches[at];
    if (index === undefined || !this.#choices?.can(index)) return;
    this.#name = this.#choices.labels.name(index);
    this.#restore();
    this.chosen(index);
  }

  #restore(): void {
    this.#expand(false);
    if (this.#input.value !== this.#name) this.#input.value = this.#name;
    this.#select();
  }
}
