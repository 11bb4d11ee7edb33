import { entries, entry, type Table } from "./colour";
import type { Field } from "./field";
import { countBelow, countUpTo } from "./order";
import type { Sign } from "./reduce";

/** A rectangle in the pixels of a picture. */
export interface Area {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** What of a picture is painted: a rectangle inside it, of which every `step`-th pixel is taken. */
export interface Window extends Area {
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
  const { width, height } = field;
  paintWindow(field, { top: 0, left: 0, height, width, step: 1 }, level, cut, table, out);
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
  const rows = samples(top, height, step);
  const columns = samples(left, width, step);
  const { index } = field.bins;
  const { colours } = lookup(field, level, cut, table);
  const across = columns.length;
  const contiguous = across > 0 && columns[across - 1]! - columns[0]! === across - 1;
  const gathered = new Uint16Array(across);
  const open = new Int32Array(across);
  for (let y = 0, i = 0; y < rows.length; y++, i += across) {
    if (y > 0 && rows[y] === rows[y - 1]) {
      out.copyWithin(i, i - across, i);
      continue;
    }
    const start = rows[y]! * field.width;
    let bins: Uint16Array = gathered;
    if (contiguous) bins = index.subarray(start + columns[0]!, start + columns[0]! + across);
    else for (let x = 0; x < across; x++) bins[x] = index[start + columns[x]!]!;
    paintRow(bins, colours, out.subarray(i, i + across), open, (x) =>
      colourOf(field.values[start + columns[x]!]!, level, cut, field.sign, table),
    );
  }
}

/** Writes pixels by a table of colours; `mixed` has those whose colour is not said there. */
function paintRow(
  index: Uint16Array,
  colours: Uint32Array,
  out: Uint32Array,
  open: Int32Array,
  mixed: (x: number) => number,
): void {
  let left = 0;
  for (let x = 0; x < out.length; x++) {
    const colour = colours[index[x]!]!;
    out[x] = colour;
    // Only noted here: a colour that is worked out in this loop would make all of it slower.
    if (colour === MIXED) open[left++] = x;
  }
  for (let k = 0; k < left; k++) out[open[k]!] = mixed(open[k]!);
}

/** The entry of each of some reduced values; `NONE` where there is no number. */
export function entriesOf(values: Float32Array, level: number, sign: Sign): Uint16Array {
  const found = new Uint16Array(values.length);
  entries(values, level, sign, found);
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i]!)) found[i] = NONE;
  return found;
}

/** More than a table has entries. */
const NONE = 300;

/**
 * Writes the pixels of reduced values that no field was made of, such as a tile's, with their entries: the colours are the
 * same. Magnitudes and entries run one way, so that only an entry in which the cut lies is looked at value by value.
 */
export function paintValues(
  values: Float32Array,
  found: Uint16Array,
  level: number,
  cut: number,
  sign: Sign,
  table: Table,
  out: Uint32Array,
): void {
  const colours = new Uint32Array(NONE + 1);
  const high = entry(cut, level, sign);
  const low = sign === "signed" ? entry(-cut, level, sign) : -1;
  table.packed.forEach((colour, one) => {
    if (one > high || one < low || cut === 0) colours[one] = colour;
    else if (one === high || one === low) colours[one] = MIXED;
  });
  paintRow(found, colours, out, new Int32Array(out.length), (i) =>
    colourOf(values[i]!, level, cut, sign, table),
  );
}

/** The colour of a value as a canvas stores it; 0, which is nothing at all, where it is hidden or no number. */
export function colourOf(value: number, level: number, cut: number, sign: Sign, table: Table): number {
  // Not reached where there is no number.
  return Math.abs(value) >= cut ? table.packed[entry(value, level, sign)]! : 0;
}

interface Lookup {
  readonly level: number;
  readonly cut: number;
  readonly table: Table;
  /** The colour of each bin, and of what is not finite; MIXED where it depends on the value. */
  readonly colours: Uint32Array;
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
  const { firsts, count } = field.bins;
  const colours = held?.colours ?? new Uint32Array(count + 1);
  // On either side of zero magnitudes run one way.
  const negative = countBelow(firsts, 0);
  const zero = countUpTo(firsts, 0);
  const ends = [0, negative, zero, count];
  for (let k = 0; k < 3; k++) fill(field, ends[k]!, ends[k + 1]!, level, cut, table, colours);
  const made = { level, cut, table, colours };
  known.set(field, made);
  return made;
}

/** The colours of bins `from` to `to`, which lie on one side of zero. */
function fill(
  { bins: { firsts, lasts }, sign }: Field,
  from: number,
  to: number,
  level: number,
  cut: number,
  table: Table,
  colours: Uint32Array,
): void {
  /** What runs one way along the bins: the entry, or that there is none. */
  const state = (value: number) => (Math.abs(value) >= cut ? entry(value, level, sign) : -1);
  for (let bin = from; bin < to; ) {
    const same = state(firsts[bin]!);
    if (state(lasts[bin]!) !== same) {
      colours[bin++] = MIXED;
      continue;
    }
    // There are far fewer colours than bins, so that the last bin of each is searched for, in steps that grow and shrink.
    let end = bin + 1;
    let step = 1;
    while (end + step <= to && state(lasts[end + step - 1]!) === same) {
      end += step;
      step *= 2;
    }
    for (; step >= 1; step /= 2) {
      if (end + step <= to && state(lasts[end + step - 1]!) === same) end += step;
    }
    colours.fill(same < 0 ? 0 : table.packed[same]!, bin, end);
    bin = end;
  }
}
