import type { Store } from "../state/store";
import { MOST_PINS } from "../state/traits";
import { listen, make, setAttribute, setText } from "./dom";
import type { Place } from "./place";
import { effectWord, readingOf, valueWords } from "./reading";
import type { Scene } from "./scene";

/** Keeps a place; tells in words what became of it. One gesture, one save. */
export function pinPlace(store: Store, { row, column }: Place): string {
  const { pins } = store.traits;
  const before = pins.findIndex((pin) => pin.row === row && pin.column === column);
  if (before >= 0) return `This is pin ${before + 1} already`;
  if (pins.length >= MOST_PINS) return `There are ${MOST_PINS} pins, the most there can be`;
  setPins(store, [...pins, { row, column }]);
  return `Pin ${pins.length + 1} at row ${row}, column ${column}`;
}

export function removePin(store: Store, index: number): void {
  setPins(
    store,
    store.traits.pins.filter((_, i) => i !== index),
  );
}

function setPins(store: Store, pins: readonly Place[]): void {
  store.set(
    "pins",
    pins.map(({ row, column }) => [row, column]),
  );
  store.save();
}

interface Row {
  readonly element: HTMLTableRowElement;
  readonly go: HTMLButtonElement;
  readonly remove: HTMLButtonElement;
  readonly cells: readonly HTMLElement[];
}

const HEADS = ["Pin", "Row", "Column", "Value", "Score", "Stronger than", ""];

/** The places that were kept, and what the map says there now. */
export function makePins(store: Store, go: (place: Place) => void, otherwise: HTMLElement) {
  const body = make("tbody");
  const rows: Row[] = [];
  let current: readonly Place[] = [];
  const heads = HEADS.map((head) =>
    head ? make("th", { scope: "col" }, head) : make("th", { scope: "col" }, make("span.spoken", "Remove")),
  );
  const table = make("table", { "aria-label": "Pins" }, make("thead", make("tr", ...heads)), body);
  const element = make("div.pins", { hidden: true }, table);

  function update(scene: Scene): void {
    const { pins } = scene.store.traits;
    current = pins;
    element.hidden = pins.length === 0;
    while (rows.length > pins.length) rows.pop()?.element.remove();
    while (rows.length < pins.length) rows.push(row(rows.length));
    const { drawn, size } = scene;
    pins.forEach((pin, i) => {
      const row = rows[i]!;
      const reading = drawn && readingOf(drawn, size, pin);
      const outside = pin.row >= size[1] || pin.column >= size[0];
      const percentile = reading?.percentile;
      const said = [
        String(pin.row),
        String(pin.column),
        drawn && reading ? valueWords(drawn, reading.value) : outside ? "outside" : "–",
        drawn && reading ? effectWord(drawn, scene, reading) : "",
        typeof percentile === "number" ? shareWords(percentile) : "",
      ];
      row.cells.forEach((cell, c) => {
        setText(cell, said[c]!);
      });
      setAttribute(row.element, "data-value", reading?.value);
      setAttribute(row.go, "aria-label", `Go to pin ${i + 1}, row ${pin.row}, column ${pin.column}`);
    });
  }

  function row(index: number): Row {
    const goButton = make("button.go", String(index + 1));
    const name = `Remove pin ${index + 1}`;
    const remove = make("button.go", { "aria-label": name, title: name }, "×");
    const gone = () => {
      const pin = current[index];
      if (pin) go(pin);
    };
    listen(goButton, "click", gone);
    listen(remove, "click", () => removeAt(index));
    const cells = HEADS.slice(1, -1).map(() => make("td"));
    const first = make("th", { scope: "row" }, goButton);
    const element = make("tr", first, ...cells, make("td", remove));
    body.append(element);
    return { element, go: goButton, remove, cells };
  }

  function removeAt(index: number): void {
    const left = current.length - 1;
    // The row with the focus goes, and another takes its place.
    (left === 0 ? otherwise : rows[Math.min(index, left - 1)]!.remove).focus();
    removePin(store, index);
  }

  return { element, update };
}

/** A percentage in a column: no words. */
export function shareWords(percentile: number): string {
  return percentile >= 99.9 && percentile < 100
    ? `${(Math.floor(percentile * 100) / 100).toFixed(2)}\u00a0%`
    : `${percentile.toFixed(1)}\u00a0%`;
}
