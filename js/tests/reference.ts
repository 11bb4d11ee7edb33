import { entry, type Table } from "../src/map/colour";
import type { Sign } from "../src/map/reduce";

/** The definitions once more, by the shortest way: what the fast code is held against. */

const known = new WeakMap<Float32Array, Float32Array>();

export function magnitudes(values: Float32Array): Float32Array {
  const found = known.get(values) ?? values.filter(Number.isFinite).map(Math.abs).sort();
  known.set(values, found);
  return found;
}

export function level(values: Float32Array, clip: number): number {
  const a = magnitudes(values);
  if (a.length === 0) return 0;
  return a[Math.max(Math.ceil((clip * a.length) / 100) - 1, 0)] || a.at(-1)!;
}

export function keep(values: Float32Array, percent: number): { cut: number; pixels: number[] } {
  const a = magnitudes(values);
  const k = Math.floor((percent * a.length) / 100 + 0.5);
  const cut = k === 0 ? Number.POSITIVE_INFINITY : a[a.length - k]!;
  const pixels = [...values.keys()].filter((i) => Math.abs(values[i]!) >= cut);
  return { cut, pixels };
}

export function rank(values: Float32Array, at: number): { rank: number; percentile: number } {
  const a = magnitudes(values);
  const m = Math.abs(values[at]!);
  return {
    rank: 1 + a.filter((v) => v > m).length,
    percentile: (100 * a.filter((v) => v < m).length) / a.length,
  };
}

export function pictureOf(
  values: Float32Array,
  sign: Sign,
  top: number,
  cut: number,
  table: Table,
): Uint32Array {
  return Uint32Array.from(values, (v) => (Math.abs(v) >= cut ? table.packed[entry(v, top, sign)]! : 0));
}
