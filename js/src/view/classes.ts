import { clamp, percent, shorten } from "../map/format";
import type { Store } from "../state/store";
import { makeCombobox } from "./combobox";
import { listen, make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** So many classes that were looked at stand below the most probable ones; the search has the others. */
const OTHERS = 5;
export const NO_KERNEL = "Without a kernel, only the classes that are here can be shown.";

interface Row {
  readonly index: number;
  readonly label: string;
  readonly probability: number | null;
}

/** The most probable classes, those that were looked at last, and a search over all. */
export function makeClasses(store: Store) {
  const list = make("ul.classes", { "aria-label": "Classes" });
  const rest = make("p.quiet.rest", NO_KERNEL);
  const buttons = new Map<number, HTMLButtonElement>();
  const combobox = makeCombobox("Class", (index) => store.choose({ index }));
  listen(list, "click", (event) => {
    const button = (event.target as Element).closest("button");
    if (button) store.choose({ index: Number(button.dataset.index) });
  });
  const element = make("div.choose", combobox.element, list, rest);

  function focus(): void {
    combobox.focus();
  }

  function update(scene: Scene): void {
    const { store, labels, info, drawn } = scene;
    const can = (index: number) => store.can({ index });
    const rows = rowsOf(scene);
    const shown = drawn?.header.target.index ?? null;
    const wanted = store.wanted?.target.index ?? null;
    const doing = store.protocol.flight?.phase === "waiting" ? "waiting" : "computing";
    arrange(rows);
    for (const row of rows) {
      const button = buttons.get(row.index)!;
      const [name, meter, number, busy] = [...button.children] as HTMLElement[];
      const label = labels.distinct(row.index, row.label);
      setText(name!, shorten(label, 200));
      setAttribute(name!, "title", label.slice(0, 500));
      meter!.style.setProperty("--share", String(clamp(row.probability ?? 0, 0, 1)));
      meter!.hidden = row.index === wanted || row.probability === null;
      setText(number!, row.probability === null ? "" : percent(100 * row.probability, true));
      number!.hidden = row.index === wanted;
      setText(busy!, row.index === wanted ? doing : "");
      busy!.hidden = row.index !== wanted;
      setAttribute(button, "aria-pressed", String(row.index === shown));
      setAttribute(button, "aria-busy", row.index === wanted ? "true" : null);
      setAttribute(button, "data-held", store.heldAs({ index: row.index }) !== null);
      button.disabled = !can(row.index);
    }
    rest.hidden = store.canAsk;
    const first = rows.map((row) => row.index);
    const named = wanted ?? (drawn ? shown : (info.prediction[0]?.index ?? null));
    combobox.update({ labels, first, can, otherwise: NO_KERNEL }, named === null ? "" : labels.name(named));
  }

  function arrange(rows: readonly Row[]): void {
    const now = rows.map((row) => row.index);
    if (now.join() === [...buttons.keys()].join()) return;
    // Buttons are kept, and moved only where the order is new: a moved element would lose the focus.
    const known = new Map(buttons);
    buttons.clear();
    for (const index of now) buttons.set(index, known.get(index) ?? rowButton(index));
    for (const [index, button] of known) if (!buttons.has(index)) button.parentElement?.remove();
    [...buttons.values()].forEach((button, at) => {
      const item = button.parentElement ?? make("li", button);
      if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
    });
  }

  return { element, focus, update };
}

function rowButton(index: number): HTMLButtonElement {
  return make(
    "button",
    { "data-index": index },
    make("span.name"),
    make("span.meter", { "aria-hidden": "true" }),
    make("span.number"),
    make("span.quiet.busy"),
  );
}

function rowsOf({ store, info, labels, drawn }: Scene): Row[] {
  const rows = new Map<number, Row>();
  for (const one of info.prediction) rows.set(one.index, one);
  const others = new Map<number, Row>();
  for (const header of store.traits.headers) {
    const { index, label } = header.target;
    if (index !== null && !rows.has(index) && store.heldAs({ index }) === header) {
      others.set(index, { index, label, probability: header.probability });
    }
  }
  const wanted = store.wanted?.target.index ?? null;
  if (wanted !== null && !rows.has(wanted) && !others.has(wanted)) {
    others.set(wanted, { index: wanted, label: labels.name(wanted), probability: null });
  }
  const shown = drawn?.header.target.index ?? null;
  const kept = latest([...others.keys()], [wanted, shown, ...store.recent.order()]);
  // In the order in which they came, so that looking at one does not move it.
  for (const [index, row] of others) if (kept.has(index)) rows.set(index, row);
  return [...rows.values()];
}

/** The few of `all` that were looked at last; of those that never were, the last. */
function latest(all: readonly number[], looked: readonly (number | null)[]): Set<number> {
  const among = new Set<number | null>(all);
  const order = new Set([...looked, ...[...all].reverse()].filter((one) => among.has(one)));
  return new Set([...order].slice(0, OTHERS) as number[]);
}
