import { entry, type Table } from "./colour";
import type { Field } from "./field";

interface Enlarged {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

const known = new WeakMap<Field, Enlarged>();

/** Whether a map's grid is coarser than the picture, so that it has cells and not pixels. */
export function isCoarse(field: Field, width: number, height: number): boolean {
  return field.width < width || field.height < height;
}

/**
 * A coarse map at the picture's size: values between the centres of cells are bilinear, beyond the outermost centres they
 * stay as they are. A cell without a number has none anywhere and takes no part in its neighbours'.
 */
export function enlarge(field: Field, width: number, height: number): Float32Array {
  const held = known.get(field);
  if (held?.width === width && held.height === height) return held.values;
  const across = axis(field.width, width);
  const down = axis(field.height, height);
  const values = new Float32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    const { low: top, high: bottom, share: lower } = down[y]!;
    for (let x = 0; x < width; x++, i++) {
      const { low: left, high: right, share: further } = across[x]!;
      let sum = 0;
      let weight = 1;
      const add = (row: number, column: number, share: number) => {
        const value = field.values[row * field.width + column]!;
        if (Number.isNaN(value)) weight -= share;
        else sum += share * value;
      };
      add(top, left, (1 - lower) * (1 - further));
      add(top, right, (1 - lower) * further);
      add(bottom, left, lower * (1 - further));
      add(bottom, right, lower * further);
      values[i] = weight > 0 ? sum / weight : Number.NaN;
    }
  }
  known.set(field, { width, height, values });
  return values;
}

/** Like `paint`, for a coarse map. A cell is shown or hidden as a whole, because cells are what is counted. */
export function paintEnlarged(
  field: Field,
  [width, height]: readonly [number, number],
  level: number,
  cut: number,
  table: Table,
  out: Uint32Array,
): void {
  const values = enlarge(field, width, height);
  const columns = axis(field.width, width);
  const rows = axis(field.height, height);
  for (let y = 0, i = 0; y < height; y++) {
    const start = rows[y]!.cell * field.width;
    for (let x = 0; x < width; x++, i++) {
      // Not reached either where the cell has no number.
      const kept = Math.abs(field.values[start + columns[x]!.cell]!) >= cut;
      out[i] = kept ? table.packed[entry(values[i]!, level, field.sign)]! : 0;
    }
  }
}

interface Between {
  readonly cell: number;
  readonly low: number;
  readonly high: number;
  /** How far from the centre of `low` to that of `high`. */
  readonly share: number;
}

/** For each of `points` along one side: the cell it lies in, and the two cells whose centres it lies between. */
function axis(cells: number, points: number): Between[] {
  return Array.from({ length: points }, (_, point) => {
    const at = ((point + 0.5) * cells) / points;
    const from = Math.max(0, Math.min(cells - 1, at - 0.5));
    const low = Math.floor(from);
    return {
      cell: Math.min(cells - 1, Math.floor(at)),
      low,
      high: Math.min(cells - 1, low + 1),
      share: from - low,
    };
  });
}
