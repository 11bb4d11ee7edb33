/** What a model without classes can be asked about: pixels and regions of a segmentation, boxes of a detection. */
export interface Spots {
  readonly kind: "segmentation" | "detection";
  /** Of the picture that the model sees: places are in its pixels. */
  readonly height: number;
  readonly width: number;
  /** The classes that a segmentation predicts, the largest first. */
  readonly areas: readonly Area[];
  /** What a detector sees, most probable first. */
  readonly boxes: readonly Box[];
}

export interface Area {
  readonly index: number;
  readonly label: string;
  /** Of the picture's area. */
  readonly share: number;
}

/** top, left, bottom, right; the last two are the first that no longer belong to it. */
export type Edges = readonly [number, number, number, number];

export interface Box {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
  /** What it is bound to: the number of a query or an anchor, or a region. */
  readonly place: readonly number[];
  readonly edges: Edges;
}

const PLACED = /^(?:segment|pixel|region|box) (.+)$/;

/** The kind of score that a place has. */
export function kindAt({ kind }: Spots, place: readonly number[], of = "logit"): string {
  const where = ["segment", null, "pixel"][place.length] ?? "region";
  return `${kind === "detection" ? "box" : where} ${of}`;
}

export function isPlaced(kind: string): boolean {
  return quantityOf(kind) !== kind;
}

/** What is asked of a class, wherever it is: "probability" of "pixel probability". */
export function quantityOf(kind: string): string {
  return PLACED.exec(kind)?.[1] ?? kind;
}

export function samePlace(a: readonly number[], b: readonly number[]): boolean {
  return a.join() === b.join();
}

/** Whether a box is what a class and a place name. */
export function isOf(
  box: Box,
  { index, place }: { index: number | null; place: readonly number[] },
): boolean {
  return box.index === index && samePlace(box.place, place);
}

/**
 * The box that a click means: of those that hold the point the smallest, so that one in another can be reached, and after the one
 * that is chosen already the next larger, so that one under another can be too.
 */
export function boxAt(
  boxes: readonly Box[],
  row: number,
  column: number,
  chosen: { index: number | null; place: readonly number[] } | null,
): Box | null {
  const area = ({ edges: [top, left, bottom, right] }: Box) => (bottom - top) * (right - left);
  const under = boxes
    .filter(
      ({ edges: [top, left, bottom, right] }) =>
        row >= top && row <= bottom && column >= left && column <= right,
    )
    .sort((a, b) => area(a) - area(b));
  const at = chosen ? under.findIndex((box) => isOf(box, chosen)) : -1;
  return under[(at + 1) % under.length] ?? null;
}

/** The rectangle between two pixels, both of them in it. */
export function between(
  a: { readonly row: number; readonly column: number },
  b: { readonly row: number; readonly column: number },
): Edges {
  return [
    Math.min(a.row, b.row),
    Math.min(a.column, b.column),
    Math.max(a.row, b.row) + 1,
    Math.max(a.column, b.column) + 1,
  ];
}

/** Where a target of a segmentation is, in words; "" where that is all that is of its class. */
export function placeWords(place: readonly number[]): string {
  const [top, left, bottom, right] = place;
  if (place.length === 2) return `row ${top}, column ${left}`;
  if (place.length === 4) return `rows ${top} to ${bottom! - 1}, columns ${left} to ${right! - 1}`;
  return place.length === 1 ? "the drawn mask" : "";
}
