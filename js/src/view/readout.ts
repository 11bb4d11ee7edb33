import { toBytes } from "../map/bytes";
import { count, number3, percent, shorten, signed3 } from "../map/format";
import { make, setAttribute, setText } from "./dom";
import type { Drawn, Scene } from "./scene";
import type { Place } from "./stage";

/** Numbers at the crosshair. Its height never changes. */
export class Readout {
  readonly element: HTMLElement;
  readonly #row = numberInput("Row");
  readonly #column = numberInput("Column");
  readonly #swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  readonly #pixel = field("pixel");
  readonly #value = field("value");
  readonly #unit = field("unit");
  readonly #sign = field("sign");
  readonly #rank = field("rank");
  readonly #channels = make("div", { class: "channels" });

  constructor(signal: AbortSignal, moved: (place: Place) => void) {
    const pixel = make("span", { class: "pixel", title: "The pixel's colour, red, green, blue, 0 to 255" });
    pixel.append(this.#swatch, this.#pixel);
    this.element = make(
      "section",
      { class: "readout", "aria-label": "At the crosshair" },
      make("div", { class: "place" }, labelled("Row", this.#row), labelled("Column", this.#column), pixel),
      make("p", { class: "value" }, this.#value, this.#unit),
      make("p", { class: "line" }, this.#sign),
      make("p", { class: "line" }, this.#rank),
      this.#channels,
    );
    const read = () => {
      const row = Number.parseInt(this.#row.value, 10);
      const column = Number.parseInt(this.#column.value, 10);
      if (Number.isInteger(row) && Number.isInteger(column)) moved({ row, column });
    };
    for (const input of [this.#row, this.#column]) {
      input.addEventListener("input", read, { signal });
      // What was typed and is no place gives way to the place that is shown.
      input.addEventListener("change", () => this.#restore(), { signal });
    }
  }

  #place: Place = { row: 0, column: 0 };

  update(scene: Scene, place: Place): void {
    const { info, drawn } = scene;
    this.#place = place;
    this.#row.max = String(Math.max(0, info.height - 1));
    this.#column.max = String(Math.max(0, info.width - 1));
    const root = this.element.getRootNode() as ShadowRoot | Document;
    for (const [input, value] of [
      [this.#row, place.row],
      [this.#column, place.column],
    ] as const) {
      if (root.activeElement !== input || input.value !== "") write(input, value);
    }
    this.#showPixel(scene, place);
    this.#showValue(drawn, scene, place);
  }

  /** The reading in one sentence. */
  words(): string {
    const parts = [
      this.#value.textContent,
      this.#unit.textContent,
      this.#sign.textContent,
      this.#rank.textContent,
    ];
    return parts.filter(Boolean).join(", ");
  }

  #restore(): void {
    write(this.#row, this.#place.row);
    write(this.#column, this.#place.column);
  }

  #showPixel(scene: Scene, place: Place): void {
    const { width, height } = scene.info;
    const bytes = toBytes(scene.image);
    const at = 3 * (place.row * width + place.column);
    const known = bytes !== null && bytes.length === 3 * width * height && at + 2 < bytes.length;
    const rgb = known ? [...bytes.subarray(at, at + 3)] : null;
    this.#swatch.style.background = rgb ? `rgb(${rgb})` : "none";
    setText(this.#pixel, rgb ? rgb.join(" ") : "");
    setAttribute(this.#pixel, "data-value", rgb?.join(","));
  }

  #showValue(drawn: Drawn | null, scene: Scene, place: Place): void {
    const at = drawn ? positionIn(drawn, scene, place) : -1;
    const value = drawn?.field.values[at];
    const rank = drawn?.field.rank(at) ?? null;
    const none = value === undefined;
    setText(this.#value, none ? "–" : scene.sign === "signed" ? signed3(value) : number3(value));
    setAttribute(this.#value, "data-value", none ? null : value);
    setText(this.#unit, drawn?.header.unit ?? "");
    setText(this.#sign, drawn && !none ? signWords(drawn, scene, at, value) : "");
    setAttribute(this.#sign, "title", this.#sign.textContent || null);
    setText(
      this.#rank,
      rank ? `rank ${count(rank.rank)} of ${count(rank.of)}: ${stronger(rank.percentile)}` : "",
    );
    setAttribute(this.#rank, "data-value", rank?.rank);
    setAttribute(this.#rank, "data-percentile", rank?.percentile);
    this.#showChannels(drawn, scene, at);
  }

  #showChannels(drawn: Drawn | null, scene: Scene, at: number): void {
    const shown = Math.min(drawn?.header.shape[0] ?? 3, 4);
    while (this.#channels.children.length > shown) this.#channels.lastElementChild?.remove();
    while (this.#channels.children.length < shown) {
      this.#channels.append(make("span", {}, make("span", { class: "quiet" }), field("channel")));
    }
    for (let c = 0; c < shown; c++) {
      const [name, number] = [...this.#channels.children[c]!.children];
      const value = drawn && at >= 0 ? channelValue(drawn, c, at) : undefined;
      setText(name!, channelName(scene, c));
      setText(number!, value === undefined ? "–" : signed3(value));
      setAttribute(number!, "data-channel", channelName(scene, c));
      setAttribute(number!, "data-value", value);
    }
  }
}

/** The map's pixel at a place of the picture: a map may have a coarser grid of its own. */
function positionIn(drawn: Drawn, { info }: Scene, place: Place): number {
  const { width, height } = drawn.field;
  const across = info.width || width;
  const down = info.height || height;
  const row = Math.min(height - 1, Math.floor(((place.row + 0.5) * height) / down));
  return row * width + Math.min(width - 1, Math.floor(((place.column + 0.5) * width) / across));
}

function channelValue(drawn: Drawn, channel: number, at: number): number | undefined {
  return drawn.loaded.values[channel * drawn.field.values.length + at];
}

function channelName(scene: Scene, channel: number): string {
  return scene.info.channels[channel] ?? String(channel + 1);
}

function signWords(drawn: Drawn, scene: Scene, at: number, value: number): string {
  const score = shorten(drawn.header.target.text);
  if (Number.isNaN(value)) return "this pixel's gradient is not finite";
  if (value === 0) return `neither raises nor lowers the ${score}`;
  if (scene.sign === "signed") return `${value > 0 ? "raises" : "lowers"} the ${score}`;
  let strongest = 0;
  for (let c = 1; c < drawn.header.shape[0]; c++) {
    if (Math.abs(channelValue(drawn, c, at)!) > Math.abs(channelValue(drawn, strongest, at)!)) strongest = c;
  }
  const does = channelValue(drawn, strongest, at)! > 0 ? "raises" : "lowers";
  if (drawn.header.shape[0] === 1) return `${does} the ${score}`;
  return `strongest in ${channelName(scene, strongest)}, which ${does} the ${score}`;
}

function stronger(percentile: number): string {
  return percentile === 0 ? "stronger than none" : `stronger than ${percent(percentile)}`;
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
