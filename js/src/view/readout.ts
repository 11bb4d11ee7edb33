import { toBytes } from "../map/bytes";
import { count, signed3 } from "../map/format";
import { photoAt } from "./blend";
import type { Fine } from "./detail";
import { make, rootOf, setAttribute, setText } from "./dom";
import type { Place } from "./place";
import { strongerWords, valueWords } from "./reading";
import { type Drawn, positionIn, type Scene } from "./scene";
import { type Channels, channelName, channelsAt, places, signWords, unitExplained } from "./words";

/** So many channels have a number each; of more it is said how many there are. */
const CHANNELS = 8;

/** Numbers at the crosshair. Its height depends on the map and never on the place. */
export class Readout {
  readonly element: HTMLElement;
  /** Looks for a place in the parts of the map that are here at full resolution; set by whoever holds them. */
  fine: ((place: Place) => Fine | null) | null = null;
  readonly #row = numberInput("Row");
  readonly #column = numberInput("Column");
  readonly #swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  readonly #pixel = field("pixel");
  readonly #value = field("value");
  readonly #unit = field("unit");
  readonly #cell = field("cell");
  readonly #sign = field("sign");
  readonly #rank = field("rank");
  readonly #channels = make("div", { class: "channels" });
  readonly #more = make("span", { class: "quiet" });

  constructor(signal: AbortSignal, moved: (place: Place) => void) {
    const pixel = make("span", { class: "pixel", title: "The pixel's colour: red, green, blue, 0 to 255" });
    pixel.append(this.#swatch, this.#pixel);
    this.element = make(
      "div",
      { class: "readout", role: "group", "aria-label": "At the crosshair" },
      make("div", { class: "place" }, labelled("Row", this.#row), labelled("Column", this.#column), pixel),
      make("p", { class: "value" }, this.#value, this.#unit, this.#cell),
      make("p", { class: "does" }, this.#sign),
      make("p", {}, this.#rank),
      this.#channels,
    );
    const read = () => {
      const row = Number.parseInt(this.#row.value, 10);
      const column = Number.parseInt(this.#column.value, 10);
      if (!Number.isInteger(row) || !Number.isInteger(column)) return;
      // Known at once: whoever goes on to the other box before the next frame must not find the old place in this one.
      this.#place = { row, column };
      moved(this.#place);
    };
    for (const input of [this.#row, this.#column]) {
      input.addEventListener("input", read, { signal });
      // What was typed and is no place gives way to the place that is shown.
      input.addEventListener("change", () => this.#restore(), { signal });
    }
  }

  #place: Place = { row: 0, column: 0 };

  update(scene: Scene, place: Place): void {
    const { size, drawn } = scene;
    this.#place = place;
    const reduced = drawn?.header.reducedFrom ? " of the reduced picture" : "";
    for (const [name, input, last, value] of [
      ["Row", this.#row, size[1] - 1, place.row],
      ["Column", this.#column, size[0] - 1, place.column],
    ] as const) {
      input.max = String(last);
      setAttribute(input, "title", `${name}${reduced}, 0 to ${last}`);
      if (rootOf(input).activeElement !== input || input.value !== "") write(input, value);
    }
    const fine = this.fine?.(place) ?? null;
    this.#showPixel(scene, place, fine);
    this.#showValue(drawn, scene, place, fine);
  }

  /** The reading in one sentence. */
  words(): string {
    const parts = [this.#value, this.#unit, this.#cell, this.#sign, this.#rank];
    return parts
      .map((part) => part.textContent)
      .filter(Boolean)
      .join(", ");
  }

  #restore(): void {
    write(this.#row, this.#place.row);
    write(this.#column, this.#place.column);
  }

  #showPixel({ image, size }: Scene, place: Place, fine: Fine | null): void {
    const bytes = toBytes(image);
    const fits = bytes?.length === 3 * size[0] * size[1];
    const rgb = fine?.rgb ?? photoAt(fits ? bytes : null, size, place);
    this.#swatch.style.background = rgb ? `rgb(${rgb})` : "none";
    setText(this.#pixel, rgb ? rgb.join(" ") : "");
    setAttribute(this.#pixel, "data-value", rgb?.join(","));
  }

  #showValue(drawn: Drawn | null, scene: Scene, place: Place, fine: Fine | null): void {
    const at = drawn ? positionIn(drawn, scene.size, place) : -1;
    const value = fine?.value ?? drawn?.field.values[at];
    const rank = drawn?.field.rank(at) ?? null;
    const known = drawn && value !== undefined ? drawn : null;
    const channels: Channels = fine
      ? (c) => fine.channels[c]!
      : known
        ? channelsAt(known, at)
        : () => Number.NaN;
    setText(this.#value, known ? valueWords(known, value!) : "–");
    setAttribute(this.#value, "data-value", value);
    setText(this.#unit, known && !Number.isNaN(value) ? known.header.unit : "");
    setAttribute(this.#unit, "title", drawn ? unitExplained(drawn.header) || null : null);
    setText(this.#cell, known ? gridWords(known, at, fine) : "");
    setText(this.#sign, known ? signWords(known, scene, channels, value!) : "");
    setAttribute(this.#sign, "title", this.#sign.textContent || null);
    setText(
      this.#rank,
      drawn && rank
        ? `rank ${count(rank.rank)} of ${fine ? `${count(rank.of)} reduced pixels` : places(drawn, rank.of)}, ${strongerWords(rank.percentile)}`
        : "",
    );
    setAttribute(this.#rank, "data-value", rank?.rank);
    setAttribute(this.#rank, "data-percentile", rank?.percentile);
    this.#showChannels(drawn, scene, known && channels);
  }

  #showChannels(drawn: Drawn | null, { info }: Scene, of: Channels | null): void {
    const channels = drawn?.header.shape[0] ?? info.channels.length;
    // One channel is the value itself, said above.
    const shown = channels > 1 ? Math.min(channels, CHANNELS) : 0;
    this.#more.remove();
    while (this.#channels.children.length > shown) this.#channels.lastElementChild?.remove();
    while (this.#channels.children.length < shown) {
      this.#channels.append(make("span", {}, make("span", { class: "quiet" }), field("channel")));
    }
    for (let c = 0; c < shown; c++) {
      const [name, number] = [...this.#channels.children[c]!.children];
      const value = of?.(c);
      const called = channelName(info, drawn, c);
      setText(name!, called);
      setText(number!, value === undefined ? "–" : signed3(value));
      setAttribute(number!, "data-channel", called);
      setAttribute(number!, "data-value", value);
    }
    if (channels > CHANNELS) {
      setText(this.#more, `and ${count(channels - CHANNELS)} more channels`);
      this.#channels.append(this.#more);
    }
  }
}

/** Where the place lies in a grid that is not the picture's own. */
function gridWords(
  { coarse, field: { width, height }, header }: Drawn,
  at: number,
  fine: Fine | null,
): string {
  if (fine) return `row ${fine.row}, column ${fine.column} at full resolution`;
  if (coarse) return `cell ${Math.floor(at / width)}, ${at % width} of ${height} × ${width}`;
  return header.reducedFrom ? "in the reduced picture" : "";
}

function field(name: string): HTMLOutputElement {
  // A moving pointer must not make a screen reader talk: what is to be said is said by the view's own live region.
  return make("output", { "data-field": name, "aria-live": "off" });
}

function numberInput(name: string): HTMLInputElement {
  return make("input", { type: "number", min: 0, step: 1, value: 0, title: `${name}, counted from 0` });
}

function labelled(name: string, input: HTMLInputElement): HTMLLabelElement {
  return make("label", {}, make("span", {}, name), input);
}

function write(input: HTMLInputElement, value: number): void {
  if (input.valueAsNumber !== value) input.value = String(value);
}
