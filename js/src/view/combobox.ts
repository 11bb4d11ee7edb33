import { count, shorten } from "../map/format";
import type { Labels } from "../map/labels";
import { listen, make, rootOf, setAttribute, setText, uniqueId } from "./dom";

const MOST = 50;

/** Why what is not here rests. */
export function noKernel(what: string): string {
  return `Without a kernel, only the ${what} that are here can be shown.`;
}

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
export function makeCombobox(name: string, chosen: (index: number) => void) {
  const more = make("p.quiet.more");
  let offered: Choices | null = null;
  let found: number[] = [];
  let active = -1;
  let isOpen = false;
  let shownName = "";
  const id = uniqueId("combobox");
  const list = make("ul", { role: "listbox", id: `${id}-list`, "aria-label": name });
  const popup = make("div.popup", { hidden: true }, list, more);
  const input = make("input", {
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
  const element = make("div.combobox", make("label", { for: id }, name), make("div.box", input, popup));
  listen(input, "click", () => {
    select();
    show(true);
  });
  listen(input, "input", () => show(false));
  listen(input, "keydown", key);
  listen(input, "blur", restore);
  // A click on an option must not take the focus from the box before it is a click.
  listen(popup, "pointerdown", (event) => event.preventDefault());
  listen(popup, "mousedown", (event) => event.preventDefault());
  listen(list, "click", (event) => {
    const option = (event.target as Element).closest("[role=option]");
    if (option) choose(Number(option.getAttribute("data-at")));
  });

  /** `name` is what stands in the box when nobody types. */
  function update(
    choices: Choices,
    name: string,
    empty = `Search ${count(choices.labels.count)} classes`,
  ): void {
    offered = choices;
    setAttribute(input, "placeholder", empty);
    if (name === shownName) return;
    shownName = name;
    if (!isOpen) restore();
  }

  function focus(): void {
    input.focus();
    select();
  }

  /** Takes the whole name, where nothing else was typed, so that typing replaces it and does not go on from its end. */
  function select(): void {
    const focused = rootOf(input).activeElement === input;
    if (focused && input.value === shownName) input.select();
  }

  function show(all: boolean): void {
    if (!offered) return;
    const typed = all && input.value === shownName ? "" : input.value;
    const { matches, total } = offered.labels.find(typed, MOST, offered.first);
    found = matches;
    list.replaceChildren(...matches.map((index, at) => option(index, at)));
    const rest = total - matches.length;
    const { can, otherwise } = offered;
    const words =
      total === 0
        ? "No class has this in its name."
        : !matches.some(can)
          ? otherwise
          : rest > 0
            ? `${count(rest)} more: type to narrow.`
            : "";
    setText(more, words);
    more.hidden = words === "";
    expand(true);
    activate(typed === "" ? -1 : matches.length > 0 ? 0 : -1);
  }

  function option(index: number, at: number): HTMLElement {
    const { labels, can } = offered!;
    const name = make("span.name", shorten(labels.name(index), 200));
    return make(
      "li",
      {
        role: "option",
        id: `${list.id}-${at}`,
        "data-at": at,
        "data-index": index,
        "aria-selected": "false",
        "aria-disabled": can(index) ? null : "true",
      },
      name,
      make("span.quiet", String(index)),
    );
  }

  function expand(open: boolean): void {
    isOpen = open;
    popup.hidden = !open;
    setAttribute(input, "aria-expanded", String(open));
    if (open) position();
    else activate(-1);
  }

  /** Upwards where the widget has more room there: what hangs out of an output would be cut off. */
  function position(): void {
    const box = input.getBoundingClientRect();
    const widget = element.closest(".widget")?.getBoundingClientRect();
    if (!widget) return;
    const below = widget.bottom - box.bottom;
    const above = box.top - widget.top;
    const up = below < 220 && above > below;
    setAttribute(popup, "data-up", up);
    popup.style.maxHeight = `${Math.round(Math.min(320, Math.max(160, (up ? above : below) - 8)))}px`;
  }

  function activate(at: number): void {
    const options = list.children;
    options[active]?.setAttribute("aria-selected", "false");
    active = at;
    const option = options[at];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView?.({ block: "nearest" });
    setAttribute(input, "aria-activedescendant", option?.id);
  }

  function key(event: KeyboardEvent): void {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const last = found.length - 1;
    switch (event.key) {
      case "ArrowDown":
        if (!isOpen) show(true);
        if (!event.altKey) activate(active >= last ? 0 : active + 1);
        break;
      case "ArrowUp":
        if (!isOpen) show(true);
        if (event.altKey) expand(false);
        else activate(active <= 0 ? last : active - 1);
        break;
      case "Enter":
        if (isOpen && active >= 0) choose(active);
        break;
      case "Escape":
        if (!isOpen && input.value === shownName) return;
        restore();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  function choose(at: number): void {
    const index = found[at];
    if (index === undefined || !offered?.can(index)) return;
    shownName = offered.labels.name(index);
    restore();
    chosen(index);
  }

  function restore(): void {
    expand(false);
    if (input.value !== shownName) input.value = shownName;
    select();
  }

  return { element, update, focus };
}
