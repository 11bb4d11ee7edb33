import { clamp } from "../map/format";
import type { Store } from "../state/store";
import type { Viewport } from "../state/traits";
import { listen } from "./dom";
import { moved, type Point, seenBy, show, zoomAbout } from "./viewport";

/** A press that moves less is a click, in pixels of the page. */
const STILL = 4;
/** A turn of the wheel by so many pixels doubles. */
const DOUBLES = 240;

/**
 * Zooms and pans an element with the wheel, with a pointer that drags, and with two fingers. `at` hears where a pointer is that
 * drags nothing; `draw` of a drag with Shift, where one means something.
 */
export function followGestures(
  element: HTMLElement,
  store: Store,
  at: (point: Point) => void,
  draw: (from: Point, to: Point, done: boolean) => void,
): void {
  /** Where a drag with Shift began. */
  let corner: Point | null = null;
  const pointers = new Map<number, { x: number; y: number }>();
  let begun: { viewport: Viewport; x: number; y: number; apart: number } | null = null;
  let dragged = false;
  /** Whether somebody has clicked here and stayed since: only then the wheel is not for the page. */
  let engaged = false;
  element.addEventListener("wheel", wheel, { passive: false });
  listen(element, "pointerdown", down);
  listen(element, "pointermove", move);
  listen(element, "pointerup", up);
  listen(element, "pointercancel", up);
  listen(element, "pointerleave", () => {
    engaged = false;
  });

  function wheel(event: WheelEvent): void {
    const wanted = event.ctrlKey || event.metaKey;
    if (!wanted && !engaged) return;
    const point = pointAt(event.clientX, event.clientY);
    if (!point) return;
    const before = store.traits.viewport;
    const lines = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1;
    // A pinch on a touchpad comes as a wheel with Ctrl and small steps.
    const fine = wanted && event.deltaMode === 0 && Math.abs(event.deltaY) < 40 ? 4 : 1;
    const turned = clamp(event.deltaY * lines * fine, -DOUBLES, DOUBLES);
    zoomAbout(store, 2 ** (-turned / DOUBLES), point);
    const changed = store.traits.viewport.zoom !== before.zoom;
    // At either end the wheel is the page's again; with Ctrl the page would be zoomed, which nobody here means.
    if (wanted || changed) event.preventDefault();
    if (changed) store.saveSoon();
  }

  function down(event: PointerEvent): void {
    if (event.button > 0) return;
    engaged = true;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    dragged = pointers.size > 1;
    element.toggleAttribute("data-dragged", dragged);
    begin();
    const draws = event.shiftKey && !dragged && store.info.spots?.kind === "segmentation";
    corner = draws ? pointAt(event.clientX, event.clientY) : null;
    if (!dragged) tell(event);
  }

  function begin(): void {
    const { x, y, apart } = middle();
    begun = { viewport: store.traits.viewport, x, y, apart };
  }

  function move(event: PointerEvent): void {
    const held = pointers.get(event.pointerId);
    const start = begun;
    if (!held || !start) {
      tell(event);
      return;
    }
    held.x = event.clientX;
    held.y = event.clientY;
    const { x, y, apart } = middle();
    const two = pointers.size > 1;
    // What has moved so far is no click, whatever comes of it.
    if (Math.hypot(x - start.x, y - start.y) >= STILL) element.toggleAttribute("data-dragged", true);
    if (corner && !two) {
      hold(event.pointerId, false);
      outline(event, false);
      return;
    }
    if (!two && start.viewport.zoom === 1) {
      tell(event);
      return;
    }
    if (!dragged && Math.hypot(x - start.x, y - start.y) < STILL) return;
    if (!dragged) hold(event.pointerId, true);
    dragged = true;
    const box = element.getBoundingClientRect();
    if (!(box.width > 0 && box.height > 0)) return;
    show(store, moved(start.viewport, (start.y - y) / box.height, (start.x - x) / box.width));
    if (two && start.apart > 0) {
      const point = pointAt(x, y);
      if (point) zoomAbout(store, apart / start.apart, point);
    }
  }

  function up(event: PointerEvent): void {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size > 0) {
      begin();
      return;
    }
    begun = null;
    if (corner && event.type === "pointerup") outline(event, true);
    corner = null;
    element.removeAttribute("data-panning");
    if (!dragged) return;
    dragged = false;
    store.save();
  }

  function outline(event: PointerEvent, done: boolean): void {
    const to = pointAt(event.clientX, event.clientY);
    if (corner && to && element.hasAttribute("data-dragged")) draw(corner, to, done);
    if (done) corner = null;
    else tell(event);
  }

  function hold(pointer: number, pans: boolean): void {
    element.toggleAttribute("data-panning", pans);
    try {
      element.setPointerCapture(pointer);
    } catch {
      // The pointer is gone already, or is a test's own.
    }
  }

  function middle(): { x: number; y: number; apart: number } {
    const all = [...pointers.values()];
    const [a, b] = all;
    const x = all.reduce((sum, one) => sum + one.x, 0) / all.length;
    const y = all.reduce((sum, one) => sum + one.y, 0) / all.length;
    return { x, y, apart: a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0 };
  }

  function tell(event: PointerEvent): void {
    const point = pointAt(event.clientX, event.clientY);
    if (point) at(point);
  }

  function pointAt(x: number, y: number): Point | null {
    const box = element.getBoundingClientRect();
    if (!(box.width > 0 && box.height > 0)) return null;
    const seen = seenBy(store.traits.viewport);
    const inside = (at: number) => clamp(at, 0, 1);
    return {
      row: seen.top + inside((y - box.top) / box.height) * seen.height,
      column: seen.left + inside((x - box.left) / box.width) * seen.width,
    };
  }
}
