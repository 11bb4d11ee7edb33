import raw from "../../../saliency_widget/display/colours.json";
import type { Sign } from "./reduce";

export interface Table {
  readonly name: string;
  readonly rgb: Uint8Array;
  /** The entries as a canvas stores them, opaque. */
  readonly packed: Uint32Array;
}

export const DEFAULT_TABLE: Record<Sign, string> = {
  absolute: "inferno",
  signed: "blue-orange",
  positive: "inferno",
  negative: "inferno",
};

const parsed = new Map<string, Table>();

/** The file holds how the differences of the entries change, see tools/make_colours.py. */
function parse(name: string, text: string): Table {
  const codes = text.match(/[A-[]|.{6}/g) ?? [];
  const rgb = new Uint8Array(3 * codes.length);
  const packed = new Uint32Array(codes.length);
  const rgba = new Uint8Array(packed.buffer).fill(255);
  const added = [0, 0, 0];
  codes.forEach((code, entry) => {
    const hex = Number.parseInt(code, 16);
    const letter = code.charCodeAt(0) - 65;
    for (let c = 0; c < 3; c++) {
      added[c]! += code[1] ? hex >> (16 - 8 * c) : (Math.floor(letter / 3 ** (2 - c)) % 3) - 1;
      const i = 3 * entry + c;
      rgb[i] = (rgb[i - 3] ?? 0) + added[c]!;
      rgba[4 * entry + c] = rgb[i]!;
    }
  });
  return { name, rgb, packed };
}

function tablesFor(sign: Sign): Record<string, string> {
  return sign === "signed" ? raw.diverging : raw.sequential;
}

/** What there is for maps shown in this way, the default first. Where a table is not uniform, the choice says so. */
export function tableNames(sign: Sign): { name: string; uniform: boolean }[] {
  return Object.keys(tablesFor(sign)).map((name) => ({ name, uniform: !raw.not_uniform.includes(name) }));
}

/**
 * 257 entries for signed, whose middle entry is the neutral of exactly zero; 256 for the others, whose first entry is
 * zero. The default where there is no table of that name for the sign.
 */
export function tableFor(sign: Sign, name = ""): Table {
  const tables = tablesFor(sign);
  const known = Object.hasOwn(tables, name) ? name : DEFAULT_TABLE[sign];
  let table = parsed.get(known);
  if (!table) {
    table = parse(known, tables[known]!);
    parsed.set(known, table);
  }
  return table;
}

/** `value / level` clamped to [-1, 1], rounded to float32 as Python's heat map is; 0 where the level is 0. */
export function heat(value: number, level: number): number {
  if (level === 0) return Number.isNaN(value) ? value : 0;
  return Math.fround(Math.max(-1, Math.min(1, value / level)));
}

/** The entry of a finite value in its table: all but a signed map take the colour of the magnitude. */
export function entry(value: number, level: number, sign: Sign): number {
  const h = heat(value, level);
  return sign === "signed" ? Math.floor(h * 128 + 0.5) + 128 : Math.floor(Math.abs(h) * 255 + 0.5);
}

/** `entry` of each value, in one pass; 0 where there is no number. */
export function entries(values: Float32Array, level: number, sign: Sign, out: Uint16Array): void {
  const n = values.length;
  if (level === 0) out.fill(entry(0, 0, sign), 0, n);
  else if (sign === "signed") {
    for (let i = 0; i < n; i++) {
      const h = values[i]! / level;
      // Above zero in any case, so that leaving off the fraction is rounding down.
      out[i] = (Math.fround(Math.max(-1, Math.min(1, h))) * 128 + 128.5) | 0;
    }
  } else {
    for (let i = 0; i < n; i++) {
      const h = Math.abs(values[i]!) / level;
      out[i] = (Math.fround(Math.min(1, h)) * 255 + 0.5) | 0;
    }
  }
}

/** RGB of each value; mid grey where there is no number. */
export function colourise(
  values: Float32Array,
  level: number,
  sign: Sign,
  table = tableFor(sign),
): Uint8Array {
  const rgb = new Uint8Array(3 * values.length).fill(128);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) continue;
    const e = 3 * entry(value, level, sign);
    rgb[3 * i] = table.rgb[e]!;
    rgb[3 * i + 1] = table.rgb[e + 1]!;
    rgb[3 * i + 2] = table.rgb[e + 2]!;
  }
  return rgb;
}
