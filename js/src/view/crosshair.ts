import { clamp } from "../map/format";
import { make, uniqueId } from "./dom";
import type { Place } from "./place";

const FAR = 10;

/** The arrow keys that mean a move by a row or a column, and by how much. */
const MOVES: Record<string, readonly [down: number, across: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Where a key moves the crosshair, inside of a picture of this width and height; null where it means nothing here. */
export function movedBy(
  event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">,
  { row, column }: Place,
  [width, height]: readonly [number, number],
): Place | null {
  const move = MOVES[event.key];
  if (!move || event.ctrlKey || event.metaKey || event.altKey) return null;
  const by = event.shiftKey ? FAR : 1;
  const inside = (at: number, most: number) => clamp(at, 0, most - 1);
  return { row: inside(row + by * move[0], height), column: inside(column + by * move[1], width) };
}

/** The button that has the focus while the crosshair is moved by keys. */
export function crosshairButton(): readonly [HTMLButtonElement, HTMLElement] {
  const id = uniqueId("crosshair");
  const help =
    "While this has the focus, arrow keys move the crosshair, with Shift by ten; p pins it; ? lists all keys.";
  const button = make("button.small", { title: help, "aria-describedby": id });
  button.append("Crosshair");
  return [button, make("span", { id, hidden: true }, help)];
}
