import { NO_NUMBER } from "./bins";
import { entry, type Table } from "./colour";
import type { Field } from "./field";

const colours = new Uint32Array(65536);

/**
 * Writes the pixels of a map: the colour of its value where its magnitude reaches `cut`, else nothing at all. Each bin gets one
 * entry of a table; the few bins whose two ends differ in colour or in being kept are gone through pixel by pixel, so
 * that the picture is exactly the definition's however many pixels share a bin.
 */
export function paint(field: Field, level: number, cut: number, table: Table, out: Uint32Array): void {
  const { values, order, sign } = field;
  const { index, starts, count } = field.bins;
  const { packed } = table;
  const colourOf = (value: number) => (Math.abs(value) >= cut ? packed[entry(value, level, sign)]! : 0);
  const mixed: number[] = [];
  for (let b = 0; b < count; b++) {
    const from = starts[b]!;
    const to = starts[b + 1]! - 1;
    const first = values[order[from]!]!;
    const colour = colourOf(first);
    colours[b] = colour;
    if (to > from) {
      const last = values[order[to]!]!;
      if (last !== first && colourOf(last) !== colour) mixed.push(b);
    }
  }
  colours[NO_NUMBER] = 0;
  for (let i = 0; i < index.length; i++) out[i] = colours[index[i]!]!;
  for (const b of mixed) {
    for (let p = starts[b]!; p < starts[b + 1]!; p++) {
      const i = order[p]!;
      out[i] = colourOf(values[i]!);
    }
  }
}
