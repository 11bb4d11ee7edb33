import type { Sign } from "../map/reduce";
import { fromBar } from "./axis";
import { make, setAttribute } from "./dom";

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
export class Handle {
  readonly elements: readonly HTMLElement[];
  #state: HandleState | null = null;
  #moved = false;
  #drag: { pointer: number; left: number; width: number; off: number } | null = null;

  constructor(
    name: string,
    readonly title: string,
    kind: string,
    signal: AbortSignal,
    readonly actions: HandleActions,
  ) {
    const slider = make("div", { class: `handle ${kind}`, role: "slider", tabindex: 0, "aria-label": name });
    const mirror = make("div", { class: `handle ${kind} mirror`, "aria-hidden": "true" });
    this.elements = [slider, mirror];
    for (const knob of this.elements) {
      knob.addEventListener("pointerdown", (event) => this.#grab(knob, event), { signal });
      knob.addEventListener("pointermove", (event) => this.#pull(event), { signal });
      for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
        knob.addEventListener(end, (event) => this.#release(event), { signal });
      }
    }
    slider.addEventListener("keydown", (event) => this.#key(event), { signal });
    // A key that is held is one gesture.
    slider.addEventListener("keyup", () => this.#done(), { signal });
    slider.addEventListener("blur", () => this.#done(), { signal });
  }

  update(state: HandleState | null): void {
    this.#state = state;
    const [slider] = this.elements as [HTMLElement];
    this.elements.forEach((knob, i) => {
      const along = state?.along[i];
      knob.hidden = along === undefined;
      if (along === undefined) return;
      knob.style.left = `${100 * along}%`;
      setAttribute(knob, "title", state?.rests || `${this.title}: ${state?.words}`);
      setAttribute(knob, "data-rests", state?.rests !== "");
    });
    if (!state) return;
    setAttribute(slider, "aria-valuemin", 0);
    setAttribute(slider, "aria-valuemax", state.most);
    setAttribute(slider, "aria-valuenow", Math.min(state.value, state.most));
    setAttribute(slider, "aria-valuetext", state.rests ? `${state.words}. ${state.rests}` : state.words);
    setAttribute(slider, "aria-disabled", state.rests ? "true" : null);
  }

  #grab(knob: HTMLElement, event: PointerEvent): void {
    const box = knob.parentElement?.getBoundingClientRect();
    if (event.button !== 0 || !box || box.width === 0 || !this.#state || this.#state.rests) return;
    // The knob stays under the hand as it was taken hold of.
    const own = knob.getBoundingClientRect();
    const off = event.clientX - (own.left + own.width / 2);
    knob.setPointerCapture?.(event.pointerId);
    this.elements[0]!.focus({ preventScroll: true });
    this.#drag = { pointer: event.pointerId, left: box.left, width: box.width, off };
    event.preventDefault();
  }

  #pull({ clientX, pointerId }: PointerEvent): void {
    const drag = this.#drag;
    if (!drag || drag.pointer !== pointerId || !this.#state) return;
    this.#move(fromBar(this.#state.sign, (clientX - drag.off - drag.left) / drag.width));
  }

  #release({ pointerId }: PointerEvent): void {
    if (this.#drag?.pointer !== pointerId) return;
    this.#drag = null;
    this.#done();
  }

  #key(event: KeyboardEvent): void {
    const state = this.#state;
    if (!state || state.rests || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = {
      ArrowRight: STEP,
      ArrowUp: STEP,
      ArrowLeft: -STEP,
      ArrowDown: -STEP,
      PageUp: PAGE,
      PageDown: -PAGE,
    }[event.key];
    if (event.key === "Home") this.#move(0);
    else if (event.key === "End") this.#move(1);
    else if (by !== undefined) this.#step(state.position, by);
    else return;
    event.preventDefault();
  }

  /** Goes on until something changes: where values are few, one step may fall between two of them. */
  #step(from: number, by: number): void {
    for (let to = from + by; ; to += by) {
      if (this.#move(to) || to <= 0 || to >= 1) return;
    }
  }

  #move(position: number): boolean {
    const changed = this.actions.move(Math.max(0, Math.min(1, position)));
    this.#moved ||= changed;
    return changed;
  }

  #done(): void {
    if (!this.#moved) return;
    this.#moved = false;
    this.actions.done();
  }
}
