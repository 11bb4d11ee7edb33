import { shorten } from "../map/format";
import { make, setAttribute, setText } from "./dom";
import { shareWords } from "./pins";
import { carried, type Place } from "./place";
import { readingOf, valueWords } from "./reading";
import type { Drawn, Scene } from "./scene";

/** What every panel says at the crosshair and at the pins. */
export function makeBeside() {
  const table = make("table", { "aria-label": "Values of each panel" });
  let builtAs = "";
  let cells: HTMLElement[][] = [];
  // Wider than there is room for, it is scrolled, also by keys.
  const element = make("div.beside", { hidden: true, tabindex: 0, role: "group" });
  setAttribute(element, "aria-label", "Panels");
  element.append(table);

  function update(scene: Scene, place: Place): void {
    const { panels, drawn, store } = scene;
    element.hidden = panels.length === 0;
    if (panels.length === 0) return;
    const { pins } = store.traits;
    const titles = ["This map", ...panels.map(({ want }) => shorten(store.wordsOf(want), 40))];
    build(titles, pins.length);
    [drawn, ...panels.map((panel) => panel.drawn)].forEach((map, row) => {
      for (const [column, one] of [place, ...pins].entries()) {
        say(scene, map, one, cells[row]![column]!);
      }
    });
  }

  function say({ size }: Scene, drawn: Drawn | null, place: Place, cell: HTMLElement): void {
    const [value, rank] = cell.children;
    const inside = place.row < size[1] && place.column < size[0];
    const reading = drawn && inside ? readingOf(drawn, drawn.size, carried(place, size, drawn.size)) : null;
    setText(value!, drawn && reading ? valueWords(drawn, reading.value) : "–");
    setText(rank!, typeof reading?.percentile === "number" ? shareWords(reading.percentile) : "");
    setAttribute(cell, "data-value", reading?.value);
  }

  function build(titles: readonly string[], pins: number): void {
    const shape = JSON.stringify([titles, pins]);
    if (shape === builtAs) return;
    builtAs = shape;
    const heads = ["Crosshair", ...Array.from({ length: pins }, (_, i) => `Pin ${i + 1}`)];
    const rank = "The value there, and the share of the places that are weaker";
    const top = make("tr", make("th", { scope: "col" }, "Panel"));
    top.append(...heads.map((head) => make("th", { scope: "col", title: rank }, head)));
    cells = titles.map(() => heads.map(() => make("td", make("span"), make("span.quiet"))));
    const rows = titles.map((title, i) =>
      make("tr", make("th", { scope: "row", title }, title), ...cells[i]!),
    );
    table.replaceChildren(make("thead", top), make("tbody", ...rows));
  }

  return { element, update };
}
