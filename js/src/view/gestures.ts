import type { Store } from "../state/store";
import type { Viewport } from "../state/traits";
import { moved, type Point, seenBy, show, zoomAbout } from "./viewport";

/** A press that moves less is a click, in pixels of the page. */
const STILL = 4;
/** A turn of the wheel by so many pixels doubles. */
const DOUBLES = 240;

/** Zooming and panning of an element with the wheel, with a pointer that drags, and with two fingers. */
export class Gestures {
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #start: { viewport: Viewport; x: number; y: number; apart: number } | null = null;
  #dragged = false;
  /** Whether somebody has clicked here and stayed since: only then the wheel is not for the page. */
  #engaged = false;

  constructor(
    readonly element: HTMLElement,
    readonly store: Store,
    signal: AbortSignal,
    /** A pointer is somewhere, and drags nothing. */
    readonly at: (point: Point) => void,
  ) {
    element.addEventListener("wheel", (event) => this.#wheel(event), { signal, passive: false });
    element.addEventListener("pointerdown", (event) => this.#down(event), { signal });
    element.addEventListener("pointermove", (event) => this.#move(event), { signal });
    element.addEventListener("pointerup", (event) => this.#up(event), { signal });
    element.addEventListener("pointercancel", (event) => this.#up(event), { signal });
    element.addEventListener(
      "pointerleave",
      () => {
        this.#engaged = false;
      },
      { signal },
    );
  }

  #wheel(event: WheelEvent): void {
    const wanted = event.ctrlKey || event.metaKey;
    if (!wanted && !this.#engaged) return;
    const point = this.#pointAt(event.clientX, event.clientY);
    if (!point) return;
    const before = this.store.traits.viewport;
    const lines = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1;
    // A pinch on a touchpad comes as a wheel with Ctrl and small steps.
    const fine = wanted && event.deltaMode === 0 && Math.abs(event.deltaY) < 40 ? 4 : 1;
    const turned = Math.max(-DOUBLES, Math.min(DOUBLES, event.deltaY * lines * fine));
    zoomAbout(this.store, 2 ** (-turned / DOUBLES), point);
    const changed = this.store.traits.viewport.zoom !== before.zoom;
    // At either end the wheel is the page's again; with Ctrl the page would be zoomed, which nobody here means.
    if (wanted || changed) event.preventDefault();
    if (changed) this.store.saveSoon();
  }

  #down(event: PointerEvent): void {
    if (event.button > 0) return;
    this.#engaged = true;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#dragged = this.#pointers.size > 1;
    this.#begin();
    if (!this.#dragged) this.#tell(event);
  }

  #begin(): void {
    const { x, y, apart } = this.#middle();
    this.#start = { viewport: this.store.traits.viewport, x, y, apart };
  }

  #move(event: PointerEvent): void {
    const held = this.#pointers.get(event.pointerId);
    const start = this.#start;
    if (!held || !start) {
      this.#tell(event);
      return;
    }
    held.x = event.clientX;
    held.y = event.clientY;
    const { x, y, apart } = this.#middle();
    const two = this.#pointers.size > 1;
    if (!two && start.viewport.zoom === 1) {
      this.#tell(event);
      return;
    }
    if (!this.#dragged && Math.hypot(x - start.x, y - start.y) < STILL) return;
    if (!this.#dragged) this.#hold(event.pointerId);
    this.#dragged = true;
    const box = this.element.getBoundingClientRect();
    if (!(box.width > 0 && box.height > 0)) return;
    show(this.store, moved(start.viewport, (start.y - y) / box.height, (start.x - x) / box.width));
    if (two && start.apart > 0) {
      const point = this.#pointAt(x, y);
      if (point) zoomAbout(this.store, apart / start.apart, point);
    }
  }

  #up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#pointers.size > 0) {
      this.#begin();
      return;
    }
    const before = this.#start?.viewport;
    this.#start = null;
    this.element.removeAttribute("data-panning");
    if (!this.#dragged) return;
    this.#dragged = false;
    const now = this.store.traits.viewport;
    if (before && (before.zoom !== now.zoom || before.row !== now.row || before.column !== now.column)) {
      this.store.save();
    }
  }

  #hold(pointer: number): void {
    this.element.setAttribute("data-panning", "");
    try {
      this.element.setPointerCapture(pointer);
    } catch {
      // The pointer is gone already, or is a test's own.
    }
  }

  #middle(): { x: number; y: number; apart: number } {
    const all = [...this.#pointers.values()];
    const [a, b] = all;
    const x = all.reduce((sum, one) => sum + one.x, 0) / all.length;
    const y = all.reduce((sum, one) => sum + one.y, 0) / all.length;
    return { x, y, apart: a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0 };
  }

  #tell(event: PointerEvent): void {
    const point = this.#pointAt(event.clientX, event.clientY);
    if (point) this.at(point);
  }

  #pointAt(x: number, y: number): Point | null {
    const box = this.element.getBoundingClientRect();
    if (!(box.width > 0 && box.height > 0)) return null;
    const seen = seenBy(this.store.traits.viewport);
    const inside = (at: number) => Math.max(0, Math.min(1, at));
    return {
      row: seen.top + inside((y - box.top) / box.height) * seen.height,
      column: seen.left + inside((x - box.left) / box.width) * seen.width,
    };
  }
}
