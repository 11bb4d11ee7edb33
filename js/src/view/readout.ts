import { toBytes } from "../map/bytes";
import { count, signed3 } from "../map/format";
import { photoAt } from "./blend";
import type { Fine } from "./detail";
import { listen, make, output, rootOf, setAttribute, setText } from "./dom";
import type { Place } from "./place";
import { strongerWords, valueWords } from "./reading";
import { type Drawn, positionIn, type Scene } from "./scene";
import {
  type Channels,
  channelName,
  channelsAt,
  leftOutWords,
  places,
  precisionWords,
  signWords,
  unitExplained,
} from "./words";

/** So many channels have a number each; of more it is said how many there are. */
const CHANNELS = 8;
/** What is said of a score of more letters than this may need a second line beside a picture of 448 pixels. */
const LONG = 36;

/** Numbers at the crosshair. Its height depends on the map and never on the place. */
export function makeReadout(moved: (place: Place) => void, fineAt: (place: Place) => Fine | null) {
  const rowInput = numberInput("Row");
  const columnInput = numberInput("Column");
  const swatch = make("span.swatch", { "aria-hidden": "true" });
  const pixelOutput = output("pixel");
  const valueOutput = output("value");
  const unit = output("unit");
  const cell = output("cell");
  const sign = output("sign");
  const rankOutput = output("rank");
  const channelList = make("div.channels");
  const more = make("span.quiet");
  let current: Place = { row: 0, column: 0 };
  const pixel = make("span.pixel", { title: "The pixel's colour: red, green, blue, 0 to 255" });
  pixel.append(swatch, pixelOutput);
  const does = make("p.does", sign);
  const element = make(
    "div.readout",
    { role: "group", "aria-label": "At the crosshair" },
    make("div.place", labelled("Row", rowInput), labelled("Column", columnInput), pixel),
    make("p.value", valueOutput, unit, cell),
    does,
    make("p", rankOutput),
    channelList,
  );
  const read = () => {
    const row = Number.parseInt(rowInput.value, 10);
    const column = Number.parseInt(columnInput.value, 10);
    if (!Number.isInteger(row) || !Number.isInteger(column)) return;
    // Known at once: whoever goes on to the other box before the next frame must not find the old place in this one.
    current = { row, column };
    moved(current);
  };
  for (const input of [rowInput, columnInput]) {
    listen(input, "input", read);
    // What was typed and is no place gives way to the place that is shown.
    listen(input, "change", restore);
  }

  function update(scene: Scene, place: Place): void {
    const { size, drawn } = scene;
    current = place;
    const reduced = drawn?.header.reducedFrom ? " of the reduced picture" : "";
    for (const [name, input, last, value] of [
      ["Row", rowInput, size[1] - 1, place.row],
      ["Column", columnInput, size[0] - 1, place.column],
    ] as const) {
      input.max = String(last);
      setAttribute(input, "title", `${name}${reduced}, 0 to ${last}`);
      if (rootOf(input).activeElement !== input || input.value !== "") write(input, value);
    }
    const fine = fineAt(place);
    showPixel(scene, place, fine);
    showValue(drawn, scene, place, fine);
  }

  /** The reading in one sentence. */
  function words(): string {
    const parts = [valueOutput, unit, cell, sign, rankOutput];
    return parts
      .map((part) => part.textContent)
      .filter(Boolean)
      .join(", ");
  }

  function restore(): void {
    write(rowInput, current.row);
    write(columnInput, current.column);
  }

  function showPixel({ image, size }: Scene, place: Place, fine: Fine | null): void {
    const bytes = toBytes(image);
    const fits = bytes?.length === 3 * size[0] * size[1];
    const rgb = fine?.rgb ?? photoAt(fits ? bytes : null, size, place);
    swatch.style.background = rgb ? `rgb(${rgb})` : "none";
    setText(pixelOutput, rgb ? rgb.join(" ") : "");
    setAttribute(pixelOutput, "data-value", rgb?.join(","));
  }

  function showValue(drawn: Drawn | null, scene: Scene, place: Place, fine: Fine | null): void {
    const at = drawn ? positionIn(drawn, scene.size, place) : -1;
    const value = fine?.value ?? drawn?.field.values[at];
    const rank = drawn?.field.rank(at) ?? null;
    const known = drawn && value !== undefined ? drawn : null;
    const channels: Channels = fine
      ? (c) => fine.channels[c]!
      : known
        ? channelsAt(known, at)
        : () => Number.NaN;
    setText(valueOutput, known ? valueWords(known, value!) : "–");
    setAttribute(valueOutput, "data-value", value);
    setText(
      unit,
      known && !Number.isNaN(value) ? `${precisionWords(known, scene)} ${known.header.unit}`.trim() : "",
    );
    setAttribute(unit, "title", drawn ? unitExplained(drawn.header) || null : null);
    setText(cell, known ? gridWords(known, at, fine) : "");
    setText(sign, known ? signWords(known, scene, channels, value!) : "");
    setAttribute(sign, "title", sign.textContent || null);
    setAttribute(
      does,
      "data-long",
      drawn && drawn.names.score.length + leftOutWords(scene.sign).length > LONG,
    );
    setText(
      rankOutput,
      drawn && rank
        ? `rank ${count(rank.rank)} of ${fine ? `${count(rank.of)} reduced pixels` : places(drawn, rank.of)}, ${strongerWords(rank.percentile)}`
        : "",
    );
    setAttribute(rankOutput, "data-value", rank?.rank);
    setAttribute(rankOutput, "data-percentile", rank?.percentile);
    showChannels(drawn, scene, known && channels);
  }

  function showChannels(drawn: Drawn | null, { info }: Scene, of: Channels | null): void {
    const channels = drawn?.header.shape[0] ?? info.channels.length;
    // One channel is the value itself, said above.
    const shown = channels > 1 ? Math.min(channels, CHANNELS) : 0;
    more.remove();
    while (channelList.children.length > shown) channelList.lastElementChild?.remove();
    while (channelList.children.length < shown) {
      channelList.append(make("span", make("span.quiet"), output("channel")));
    }
    for (let c = 0; c < shown; c++) {
      const [name, number] = [...channelList.children[c]!.children];
      const value = of?.(c);
      const called = channelName(info, drawn, c);
      setText(name!, called);
      setText(number!, value === undefined ? "–" : signed3(value));
      setAttribute(number!, "data-channel", called);
      setAttribute(number!, "data-value", value);
    }
    if (channels > CHANNELS) {
      setText(more, `and ${count(channels - CHANNELS)} more channels`);
      channelList.append(more);
    }
  }

  return { element, update, words };
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

function numberInput(name: string): HTMLInputElement {
  return make("input", { type: "number", min: 0, step: 1, value: 0, title: `${name}, counted from 0` });
}

function labelled(name: string, input: HTMLInputElement): HTMLLabelElement {
  return make("label", make("span", name), input);
}

function write(input: HTMLInputElement, value: number): void {
  if (input.valueAsNumber !== value) input.value = String(value);
}
