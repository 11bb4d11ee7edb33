import { entry, type Table } from "./colour";
import type { Field } from "./field";
import type { Sign } from "./reduce";

/** What of a picture is painted: a rectangle in its pixels, inside it, of which every `step`-th pixel is taken. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /**
   * How many pixels, each way, one painted pixel stands for; a whole number from 1. The one in the middle of such a block
   * gives the colour (of an even number, the one after the middle; at an edge, the last that is inside). Blocks are counted
   * from `top` and `left`: a picture that is moved stands still where these are multiples of the step.
   */
  readonly step: number;
}

/** How many pixels are painted across and down. */
export function paintedSize({ height, width, step }: Window): [number, number] {
  return [Math.ceil(width / step), Math.ceil(height / step)];
}

/** The positions along one side that are painted. */
export function samples(from: number, length: number, step: number): Int32Array {
  const middle = step >> 1;
  const found = new Int32Array(Math.ceil(length / step));
  for (let k = 0; k < found.length; k++) found[k] = from + Math.min(length - 1, k * step + middle);
  return found;
}

/**
 * Writes all pixels of a map: the colour of its value where its magnitude reaches `cut`, else nothing at all.
 * `level` and `cut` need not be the map's own.
 */
export function paint(field: Field, level: number, cut: number, table: Table, out: Uint32Array): void {
  const { index } = field.bins;
  const { colours, mixed } = lookup(field, level, cut, table);
  if (!mixed) for (let i = 0; i < index.length; i++) out[i] = colours[index[i]!]!;
  else {
    for (let i = 0; i < index.length; i++) {
      const colour = colours[index[i]!]!;
      out[i] = colour === MIXED ? colourOf(field.values[i]!, level, cut, field.sign, table) : colour;
    }
  }
}

/** Writes the pixels of a window of a map, in the colours that `paint` gives them. */
export function paintWindow(
  field: Field,
  { top, left, height, width, step }: Window,
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  paintPlaces(field, samples(top, height, step), samples(left, width, step), level, cut, table, out);
}

/** Writes the pixels in these rows and columns of a map. */
export function paintPlaces(
  field: Field,
  rows: Int32Array,
  columns: Int32Array,
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  const { index } = field.bins;
  const { colours, mixed } = lookup(field, level, cut, table);
  const across = columns.length;
  for (let y = 0, i = 0; y < rows.length; y++) {
    const start = rows[y]! * field.width;
    if (y > 0 && rows[y] === rows[y - 1]) {
      out.copyWithin(i, i - across, i);
      i += across;
    } else if (!mixed) for (let x = 0; x < across; x++, i++) out[i] = colours[index[start + columns[x]!]!]!;
    else {
      for (let x = 0; x < across; x++, i++) {
        const at = start + columns[x]!;
        const colour = colours[index[at]!]!;
        out[i] = colour === MIXED ? colourOf(field.values[at]!, level, cut, field.sign, table) : colour;
      }
    }
  }
}

/** Writes the pixels of reduced values that no field was made of, such as a tile's: the colours are the same. */
export function paintValues(
  values: Float32Array,
  level: number,
  cut: number,
  sign: Sign,
  table: Table,
  out: Uint32Array,
): void {
  for (let i = 0; i < values.length; i++) out[i] = colourOf(values[i]!, level, cut, sign, table);
}

function colourOf(value: number, level: number, cut: number, sign: Sign, table: Table): number {
  // Not reached where there is no number.
  return Math.abs(value) >= cut ? table.packed[entry(value, level, sign)]! : 0;
}

interface Lookup {
  readonly level: number;
  readonly cut: number;
  readonly table: Table;
  /** The colour of each bin, and of what is not finite; MIXED where it depends on the value. */
  readonly colours: Uint32Array;
  readonly mixed: boolean;
}

/** No colour: those are opaque or nothing at all. */
const MIXED = 1;

const known = new WeakMap<Field, Lookup>();

/**
 * Each bin gets one entry of a table. Those few whose two ends differ in colour or in being kept are marked, and their pixels
 * looked at one by one, so that the picture is exactly the definition's however many pixels share a bin.
 */
function lookup(field: Field, level: number, cut: number, table: Table): Lookup {
  const held = known.get(field);
  if (held && held.level === level && held.cut === cut && held.table === table) return held;
  const { firsts, lasts, count } = field.bins;
  const { sign } = field;
  const colours = held?.colours ?? new Uint32Array(count + 1);
  let mixed = false;
  for (let b = 0; b < count; b++) {
    const first = firsts[b]!;
    const last = lasts[b]!;
    const colour = colourOf(first, level, cut, sign, table);
    const other = last !== first && colourOf(last, level, cut, sign, table) !== colour;
    colours[b] = other ? MIXED : colour;
    mixed ||= other;
  }
  const made = { level, cut, table, colours, mixed };
  known.set(field, made);
  return made;
}
