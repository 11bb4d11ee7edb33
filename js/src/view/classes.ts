import { clamp, number3, percent, shorten } from "../map/format";
import type { Store } from "../state/store";
import type { Change, Want } from "../state/want";
import { makeBoxes, spotKey, spotRows } from "./boxes";
import { makeCombobox, noKernel } from "./combobox";
import { listen, make, setAttribute, setText } from "./dom";
import type { Scene } from "./scene";

/** So many classes that were looked at stand below the most probable ones; the search has the others. */
const OTHERS = 5;

export interface Row {
  /** What tells it from the others. */
  readonly key: string;
  readonly change: Change;
  readonly index: number;
  readonly label: string;
  /** From 0 to 1; null where there is nothing to say or to show. */
  readonly share: number | null;
  /** What is said instead. */
  readonly words?: string;
}

/** The most probable classes, those that were looked at last, and a search over all. */
export function makeClasses(store: Store) {
  const list = make("ul.classes", { "aria-label": "Classes" });
  const rest = make("p.quiet.rest");
  const buttons = new Map<string, HTMLButtonElement>();
  const combobox = makeCombobox("Class", (index) => store.choose({ index }));
  const boxes = makeBoxes(store);
  let rows: readonly Row[] = [];
  listen(list, "click", (event) => {
    const button = (event.target as Element).closest("button");
    const row = rows.find(({ key }) => buttons.get(key) === button);
    if (row) store.choose(row.change);
  });
  const element = make("div.choose", combobox.element, boxes.element, list, rest);

  function focus(): void {
    (boxes.element.hidden ? combobox : boxes).focus();
  }

  function update(scene: Scene): void {
    const { store, labels, info, drawn } = scene;
    const { spots } = info;
    const can = (index: number) => store.can({ index });
    rows = spots ? spotRows(scene, spots) : rowsOf(scene);
    const keyOf = (target: Want["target"] | undefined) =>
      target && target.index !== null ? (spots ? spotKey(target) : String(target.index)) : null;
    const shown = keyOf(drawn?.header.target);
    const wanted = keyOf(store.wanted?.target);
    const doing = store.protocol.flight?.phase === "waiting" ? "waiting" : "computing";
    arrange(rows);
    for (const row of rows) {
      const { key } = row;
      const button = buttons.get(key)!;
      const [name, meter, number, busy] = [...button.children] as HTMLElement[];
      const label = spots ? row.label : labels.distinct(row.index, row.label);
      setText(name!, shorten(label, 200));
      setAttribute(name!, "title", label.slice(0, 500));
      meter!.style.setProperty("--share", String(clamp(row.share ?? 0, 0, 1)));
      meter!.hidden = key === wanted || row.share === null;
      setText(number!, row.words ?? (row.share === null ? "" : percent(100 * row.share, true)));
      number!.hidden = key === wanted;
      setText(busy!, key === wanted ? doing : "");
      busy!.hidden = key !== wanted;
      setAttribute(button, "data-bare", key !== wanted && number!.textContent === "");
      setAttribute(button, "aria-pressed", String(key === shown));
      setAttribute(button, "aria-busy", key === wanted ? "true" : null);
      setAttribute(button, "data-held", store.heldAs(row.change) !== null);
      button.disabled = !store.can(row.change);
    }
    setText(rest, noKernel(spots ? (spots.kind === "detection" ? "boxes" : "places") : "classes"));
    rest.hidden = store.canAsk;
    setAttribute(list, "aria-label", spots?.kind === "detection" ? "Boxes" : "Classes");
    combobox.element.hidden = spots?.kind === "detection";
    boxes.update(scene);
    const first = [...new Set(rows.map((row) => row.index))];
    // While the class at a place is not known yet, the one on display stands.
    const now = drawn ? drawn.header.target.index : (info.prediction[0]?.index ?? null);
    const named = store.wanted?.target.index ?? now;
    combobox.update(
      { labels, first, can, otherwise: noKernel("classes") },
      named === null ? "" : labels.name(named),
    );
  }

  function arrange(rows: readonly Row[]): void {
    const now = rows.map((row) => row.key);
    if (now.join(" ") === [...buttons.keys()].join(" ")) return;
    // Buttons are kept, and moved only where the order is new: a moved element would lose the focus.
    const known = new Map(buttons);
    buttons.clear();
    for (const { key, index } of rows) buttons.set(key, known.get(key) ?? rowButton(index));
    for (const [key, button] of known) if (!buttons.has(key)) button.parentElement?.remove();
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
  const rowOf = (index: number, label: string, share: number | null, words?: string): Row => ({
    key: String(index),
    change: { index },
    index,
    label,
    share,
    ...(words === undefined ? {} : { words }),
  });
  for (const { index, label, score, probability } of info.prediction) {
    // What nothing makes a probability of is a number as it is.
    const words = probability === null && score !== null ? number3(score) : undefined;
    rows.set(index, rowOf(index, label, probability, words));
  }
  const others = new Map<number, Row>();
  for (const header of store.traits.headers) {
    const { index, label } = header.target;
    if (index !== null && !rows.has(index) && store.heldAs({ index }) === header) {
      others.set(index, rowOf(index, label, header.probability));
    }
  }
  const wanted = store.wanted?.target.index ?? null;
  if (wanted !== null && !rows.has(wanted) && !others.has(wanted)) {
    others.set(wanted, rowOf(wanted, labels.name(wanted), null));
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
