import type { Field } from "../map/field";
import { joined } from "../map/format";
import { strongestPlaces } from "../map/places";
import { listen, make, setText } from "./dom";
import type { Place } from "./place";
import { effectWord, valueWords } from "./reading";
import { placeOf, type Scene } from "./scene";

const NAMED = 5;

/** The strongest places in words, each of which the crosshair can be sent to. */
export function makeStrongest(go: (place: Place) => void) {
  const list = make("ol");
  let current: Scene | null = null;
  let known: { field: Field; places: readonly number[] } | null = null;
  const buttons: HTMLButtonElement[] = [];
  let listed: Place[] = [];
  const element = make("details.strongest", make("summary", "Strongest places"), list);
  listen(element, "toggle", write);
  for (let i = 0; i < NAMED; i++) {
    const button = make("button.go");
    const chosen = () => {
      const place = listed[i];
      if (place) go(place);
    };
    listen(button, "click", chosen);
    buttons.push(button);
    list.append(make("li", { hidden: true }, button));
  }

  function update(scene: Scene): void {
    current = scene;
    write();
  }

  /** Nothing is looked for while nobody can read it. */
  function write(): void {
    const scene = current;
    if (!scene || !element.open) return;
    const { drawn } = scene;
    if (drawn && known?.field !== drawn.field) {
      known = { field: drawn.field, places: strongestPlaces(drawn.field, NAMED) };
    }
    const places = drawn ? (known?.places ?? []) : [];
    listed = drawn ? places.map((at) => placeOf(drawn.field, at, scene.size)) : [];
    buttons.forEach((button, i) => {
      const place = listed[i];
      button.parentElement!.hidden = !place;
      if (!drawn || !place) return;
      const at = places[i]!;
      const value = drawn.field.values[at]!;
      const effect = effectWord(drawn, scene, { at, value, percentile: null });
      const where = regionWords(place, scene.size);
      setText(
        button,
        `Row ${place.row}, column ${place.column} (${where}): ${valueWords(drawn, value)}, ${effect}`,
      );
    });
  }

  return { element, update };
}

/** In which ninth of the picture a place is. */
export function regionWords({ row, column }: Place, [width, height]: Scene["size"]): string {
  const down = ["top", "", "bottom"][Math.floor((3 * row) / height)];
  const across = ["left", "", "right"][Math.floor((3 * column) / width)];
  return joined(" ", [down, across]) || "centre";
}
