import { fromBase64 } from "./bytes";

/** The shape of a set of pixels, for the eye. */
export interface Shape {
  /** Rows and columns of cells. */
  readonly height: number;
  readonly width: number;
  /** Pixels on a side of each cell. */
  readonly step: number;
  /** Row by row, a bit each, the highest of a byte first, in base64. */
  readonly bits: string;
}

/** Its outline as the path of an SVG, in cells; "" where the bits do not fit. */
export function outlineOf({ height, width, bits }: Shape): string {
  const bytes = fromBase64(bits);
  if (!bytes || 8 * bytes.length < height * width) return "";
  const inside = (row: number, column: number) => {
    if (row < 0 || column < 0 || row >= height || column >= width) return 0;
    const at = row * width + column;
    return (bytes[at >> 3]! >> (7 - (at & 7))) & 1;
  };
  let path = "";
  // Each edge between a cell that is in it and one that is not, those in a line as one.
  const along = (
    lines: number,
    length: number,
    edge: (line: number, at: number) => boolean,
    move: string,
  ) => {
    for (let line = 0; line <= lines; line++) {
      for (let at = 0; at < length; at++) {
        if (!edge(line, at)) continue;
        const from = at;
        while (at < length && edge(line, at)) at++;
        path += `M${move === "H" ? `${from} ${line}` : `${line} ${from}`}${move}${at}`;
      }
    }
  };
  along(height, width, (row, column) => inside(row - 1, column) !== inside(row, column), "H");
  along(width, height, (column, row) => inside(row, column - 1) !== inside(row, column), "V");
  return path;
}
