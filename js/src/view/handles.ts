import { clamp } from "../map/format";
import type { Sign } from "../map/reduce";
import { fromBar } from "./axis";
import { listen, make, setAttribute } from "./dom";

/** What one press of a key goes on by, in parts of the axis. */
const STEP = 1 / 200;
const PAGE = 1 / 20;

export interface HandleState {
  readonly sign: Sign;
  /** Where along the bar its knobs are, 0 to 1: two of a signed map. */
  readonly along: readonly number[];
  /** Where on the axis it is, 0 to 1. */
  readonly position: number;
  readonly value: number;
  readonly most: number;
  readonly words: string;
  /** Why it cannot be moved; "" where it can. */
  readonly rests: string;
}

export interface HandleActions {
  /** Moves to a position of the axis; whether anything changed by it. */
  readonly move: (position: number) => boolean;
  readonly done: () => void;
}

/**
 * A slider on the colour bar, after the pattern of the ARIA practices. A signed map has two knobs, one on each side of zero, of
 * which one speaks: they are one choice.
 */
export function makeHandle(name: string, title: string, kind: string, actions: HandleActions) {
  let current: HandleState | null = null;
  let moved = false;
  let held: { pointer: number; left: number; width: number; off: number } | null = null;
  const slider = make("div", { class: `handle ${kind}`, role: "slider", tabindex: 0, "aria-label": name });
  const mirror = make("div", { class: `handle ${kind} mirror`, "aria-hidden": "true" });
  const elements: readonly HTMLElement[] = [slider, mirror];
  for (const knob of elements) {
    listen(knob, "pointerdown", (event) => grab(knob, event));
    listen(knob, "pointermove", pull);
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      listen(knob, end, (event) => release(event));
    }
  }
  listen(slider, "keydown", key);
  // A key that is held is one gesture.
  listen(slider, "keyup", done);
  listen(slider, "blur", done);

  function update(state: HandleState | null): void {
    current = state;
    const [slider] = elements as [HTMLElement];
    elements.forEach((knob, i) => {
      const along = state?.along[i];
      knob.hidden = along === undefined;
      if (along === undefined) return;
      knob.style.left = `${100 * along}%`;
      setAttribute(knob, "title", state?.rests || `${title}: ${state?.words}`);
      setAttribute(knob, "data-rests", state?.rests !== "");
    });
    if (!state) return;
    setAttribute(slider, "aria-valuemin", 0);
    setAttribute(slider, "aria-valuemax", state.most);
    setAttribute(slider, "aria-valuenow", Math.min(state.value, state.most));
    setAttribute(slider, "aria-valuetext", state.rests ? `${state.words}. ${state.rests}` : state.words);
    setAttribute(slider, "aria-disabled", state.rests ? "true" : null);
  }

  function grab(knob: HTMLElement, event: PointerEvent): void {
    const box = knob.parentElement?.getBoundingClientRect();
    if (event.button !== 0 || !box || box.width === 0 || !current || current.rests) return;
    // The knob stays under the hand as it was taken hold of.
    const own = knob.getBoundingClientRect();
    const off = event.clientX - (own.left + own.width / 2);
    knob.setPointerCapture?.(event.pointerId);
    elements[0]!.focus({ preventScroll: true });
    held = { pointer: event.pointerId, left: box.left, width: box.width, off };
    event.preventDefault();
  }

  function pull({ clientX, pointerId }: PointerEvent): void {
    const drag = held;
    if (!drag || drag.pointer !== pointerId || !current) return;
    move(fromBar(current.sign, (clientX - drag.off - drag.left) / drag.width));
  }

  function release({ pointerId }: PointerEvent): void {
    if (held?.pointer !== pointerId) return;
    held = null;
    done();
  }

  function key(event: KeyboardEvent): void {
    const state = current;
    if (!state || state.rests || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = {
      ArrowRight: STEP,
      ArrowUp: STEP,
      ArrowLeft: -STEP,
      ArrowDown: -STEP,
      PageUp: PAGE,
      PageDown: -PAGE,
    }[event.key];
    if (event.key === "Home") move(0);
    else if (event.key === "End") move(1);
    else if (by !== undefined) step(state.position, by);
    else return;
    event.preventDefault();
  }

  /** Goes on until something changes: where values are few, one step may fall between two of them. */
  function step(from: number, by: number): void {
    for (let to = from + by; ; to += by) {
      if (move(to) || to <= 0 || to >= 1) return;
    }
  }

  function move(position: number): boolean {
    const changed = actions.move(clamp(position, 0, 1));
    moved ||= changed;
    return changed;
  }

  function done(): void {
    if (!moved) return;
    moved = false;
    actions.done();
  }

  return { elements, update };
}
