import { between, boxAt, type Edges, type Spots, samePlace } from "../map/spots";
import type { Store } from "../state/store";
import type { Change } from "../state/want";
import { boxWords } from "./boxes";
import { noKernel } from "./combobox";
import { make, setAttribute, setText } from "./dom";
import { button, makeCheckbox } from "./fields";
import { type Aim, shownBoxes } from "./marks";
import { finePlace, type Place } from "./place";
import type { Scene } from "./scene";

/** Chooses what the score is of by pointing at it: a box; a pixel, or a region between two corners. */
export function makeChoosing(store: Store, place: () => Place, say: (words: string) => void) {
  let scene: Scene | null = null;
  /** Whether a click in the picture chooses, and does not only read. */
  let clicks = true;
  let first: Place | null = null;
  let drawn: Edges | null = null;
  /** The box at the crosshair, in words. */
  let here = "";
  const take = button("", () => choose());
  const cornerButton = button("", corner);
  const toggle = makeCheckbox("Click chooses", (on) => {
    clicks = on;
  });
  toggle.update(clicks);
  toggle.element.title =
    "A click in the picture chooses what the map is of, or else only reads the value there";
  const element = make("div.place-tools", { hidden: true }, take, cornerButton, toggle.element);

  function update(now: Scene): void {
    scene = now;
    const { spots } = now.info;
    element.hidden = !spots;
    cornerButton.hidden = spots?.kind !== "segmentation";
    if (!spots || cornerButton.hidden) first = null;
  }

  /** The pixel of the picture that the model sees. */
  function pixelAt(at: Place, { width, height }: Spots): Place {
    return finePlace(at, scene!.size, [width, height]);
  }

  function boxHere(at: Place, spots: Spots) {
    const { row, column } = pixelAt(at, spots);
    const target = scene?.drawn?.header.target ?? null;
    const boxes = shownBoxes(spots, store.traits.boxThreshold, target);
    return boxAt(boxes, row + 0.5, column + 0.5, store.wanted?.target ?? target);
  }

  /** What is chosen there; null where that is nothing. */
  function changeAt(at: Place): Change | null {
    const spots = scene?.info.spots;
    if (!spots) return null;
    if (spots.kind === "detection") {
      const box = boxHere(at, spots);
      return box && { index: box.index, place: box.place };
    }
    const { row, column } = pixelAt(at, spots);
    return { place: [row, column] };
  }

  /** Whether something else was asked for. */
  function choose(at = place()): boolean {
    if (first) {
      finish(at);
      return true;
    }
    const change = changeAt(at);
    if (!change) {
      if (scene?.info.spots) say("There is no box here.");
      return false;
    }
    return ask(change);
  }

  const why = () => noKernel(scene?.info.spots?.kind === "detection" ? "boxes" : "places");

  function ask(change: Change): boolean {
    const { index, place: now } = store.want.target;
    const same = samePlace(now, change.place ?? []) && (change.index === undefined || change.index === index);
    if (same) return false;
    if (!store.can(change)) say(why());
    else store.choose(change);
    return true;
  }

  function corner(): void {
    const spots = scene?.info.spots;
    if (spots?.kind !== "segmentation") return;
    if (first) finish(place());
    else {
      first = pixelAt(place(), spots);
      say(`First corner at row ${first.row}, column ${first.column}. Go to the other one, then choose it.`);
    }
    store.audience.tell();
  }

  function finish(at: Place): void {
    const spots = scene?.info.spots;
    if (spots && first) ask({ place: between(first, pixelAt(at, spots)) });
    cancel();
  }

  function cancel(): boolean {
    if (!first && !drawn) return false;
    first = drawn = null;
    store.audience.tell();
    return true;
  }

  /** A rectangle that is drawn with the pointer. */
  function draw(from: Place, to: Place, done: boolean): void {
    const spots = scene?.info.spots;
    if (spots?.kind !== "segmentation") return;
    drawn = between(pixelAt(from, spots), pixelAt(to, spots));
    if (!done) return;
    ask({ place: drawn });
    drawn = null;
    first = null;
  }

  /** What a click or Enter would take now, said on the button; `pointed` where somebody points at the place. */
  function aim(at: Place, pointed: boolean): Aim {
    const spots = scene?.info.spots;
    if (!spots) return { box: null, region: null };
    const boxes = spots.kind === "detection";
    const box = boxes ? boxHere(at, spots) : null;
    here = !boxes ? "" : box ? boxWords(box) : "no box here";
    // As wide whatever is pointed at, so that nothing moves under the pointer.
    setText(take, boxes ? "Choose this box" : first ? "Choose region" : "Choose this pixel");
    setText(cornerButton, first ? "Second corner" : "First corner");
    const change = changeAt(at);
    const can = first !== null || (change !== null && store.can(change));
    setAttribute(take, "aria-disabled", can ? null : "true");
    setAttribute(take, "title", change && !can ? why() : here || null);
    return { box: pointed ? box : null, region: drawn ?? (first && between(first, pixelAt(at, spots))) };
  }

  return {
    element,
    update,
    aim,
    choose,
    corner,
    cancel,
    draw,
    /** The box at the crosshair, for whoever does not see it. */
    words: () => here,
    /** A click at a place: where clicks choose, it is taken. */
    click: (at: Place) => (clicks || first) && choose(at),
  };
}
