import type { Field } from "../map/field";
import { strongestPlaces } from "../map/places";
import { make, setText } from "./dom";
import type { Place } from "./place";
import { effectWord, valueWords } from "./reading";
import { placeOf, type Scene } from "./scene";

const NAMED = 5;

/** The strongest places in words, each of which the crosshair can be sent to. */
export class Strongest {
  readonly element: HTMLDetailsElement;
  readonly #list = make("ol");
  #scene: Scene | null = null;
  #known: { field: Field; places: readonly number[] } | null = null;
  readonly #buttons: HTMLButtonElement[] = [];
  #places: Place[] = [];

  constructor(signal: AbortSignal, go: (place: Place) => void) {
    this.element = make(
      "details",
      { class: "strongest" },
      make("summary", {}, "Strongest places"),
      this.#list,
    );
    this.element.addEventListener("toggle", () => this.#write(), { signal });
    for (let i = 0; i < NAMED; i++) {
      const button = make("button", { type: "button", class: "go" });
      const chosen = () => {
        const place = this.#places[i];
        if (place) go(place);
      };
      button.addEventListener("click", chosen, { signal });
      this.#buttons.push(button);
      this.#list.append(make("li", { hidden: true }, button));
    }
  }

  update(scene: Scene): void {
    this.#scene = scene;
    this.#write();
  }

  /** Nothing is looked for while nobody can read it. */
  #write(): void {
    const scene = this.#scene;
    if (!scene || !this.element.open) return;
    const { drawn } = scene;
    if (drawn && this.#known?.field !== drawn.field) {
      this.#known = { field: drawn.field, places: strongestPlaces(drawn.field, NAMED) };
    }
    const places = drawn ? (this.#known?.places ?? []) : [];
    this.#places = drawn ? places.map((at) => placeOf(drawn.field, at, scene.size)) : [];
    this.#buttons.forEach((button, i) => {
      const place = this.#places[i];
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
}

/** In which ninth of the picture a place is. */
export function regionWords({ row, column }: Place, [width, height]: Scene["size"]): string {
  const down = ["top", "", "bottom"][Math.floor((3 * row) / height)];
  const across = ["left", "", "right"][Math.floor((3 * column) / width)];
  return [down, across].filter(Boolean).join(" ") || "centre";
}
