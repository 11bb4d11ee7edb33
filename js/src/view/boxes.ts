import { percent, shorten } from "../map/format";
import type { Info } from "../map/header";
import { Labels } from "../map/labels";
import { type Box, isOf, placeWords, type Spots } from "../map/spots";
import type { Store } from "../state/store";
import type { Change, Want } from "../state/want";
import type { Row } from "./classes";
import { makeCombobox, noKernel } from "./combobox";
import type { Scene } from "./scene";

const FIRST = 5;
/** So many of those that were looked at stand below the first ones. */
const OTHERS = 5;

type Target = Pick<Want["target"], "index" | "place">;

/** What tells one target of a place from another. */
export function spotKey({ index, place }: Target): string {
  return `${index}@${place}`;
}

/** The largest segments, or the most probable boxes; below them the pixels, regions and boxes that were looked at. */
export function spotRows({ store, labels, drawn, info }: Scene, spots: Spots): Row[] {
  const rows = new Map<string, Row>();
  const add = (target: Target, label: string, share: number | null) => {
    const { index, place } = target;
    const key = spotKey(target);
    if (index !== null && !rows.has(key)) {
      rows.set(key, { key, change: { index, place }, index, label, share });
    }
  };
  for (const { index, label, share } of spots.areas.slice(0, FIRST)) add({ index, place: [] }, label, share);
  for (const box of spots.boxes.slice(0, FIRST)) add(box, box.label, box.probability);
  const held = store.traits.headers
    .filter(({ model, image }) => model === info.modelIndex && image === info.imageIndex)
    .map(({ target }) => target)
    .filter((target) => target.index !== null && store.heldAs({ index: target.index, place: target.place }));
  const now = [drawn?.header.target, store.wanted?.target];
  const others = [...held.slice(-OTHERS), ...now].filter((one): one is Want["target"] => Boolean(one));
  for (const target of others) {
    if (target.index === null) continue;
    const box = spots.boxes.find((one) => isOf(one, target));
    const area =
      target.place.length === 0 ? spots.areas.find((one) => one.index === target.index) : undefined;
    const where = spots.kind === "detection" ? "" : placeWords(target.place);
    const name = labels.name(target.index);
    add(target, where ? `${name} at ${where}` : name, box?.probability ?? area?.share ?? null);
  }
  return [...rows.values()];
}

/** What is looked at first: a key each. */
export function likely({ prediction, spots }: Info): Change[] {
  if (!spots) return prediction.map(({ index }) => ({ index }));
  const areas = spots.areas.map(({ index }) => ({ index, place: [] }));
  return [...areas, ...spots.boxes.map(({ index, place }) => ({ index, place }))].slice(0, FIRST);
}

/** A box in words. */
export function boxWords({ label, probability }: Box): string {
  return `${shorten(label, 60)}, ${percent(100 * probability, true)}`;
}

/** All boxes in one list, to be typed in and walked through by keys. */
export function makeBoxes(store: Store) {
  let boxes: readonly Box[] = [];
  let names = new Labels([], 0);
  const combobox = makeCombobox("Box", (at) => {
    const box = boxes[at];
    if (box) store.choose({ index: box.index, place: box.place });
  });

  function update({ store, info: { spots }, drawn }: Scene): void {
    combobox.element.hidden = spots?.kind !== "detection";
    if (!spots || combobox.element.hidden) return;
    if (boxes !== spots.boxes) {
      boxes = spots.boxes;
      names = new Labels(boxes.map(boxWords), boxes.length);
    }
    const target = store.wanted?.target ?? drawn?.header.target;
    const at = target ? boxes.findIndex((box) => isOf(box, target)) : -1;
    const can = (one: number) => {
      const box = boxes[one];
      return box !== undefined && store.can({ index: box.index, place: box.place });
    };
    combobox.update(
      { labels: names, first: [], can, otherwise: noKernel("boxes") },
      at < 0 ? "" : names.name(at),
      `Search ${boxes.length} boxes`,
    );
  }

  return { element: combobox.element, focus: combobox.focus, update };
}
