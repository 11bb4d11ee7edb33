import type { Store } from "../state/store";
import { listen } from "./dom";

const peeking = new WeakSet<Store>();

/** Shows the photograph in its colours and without the map for as long as it is on. */
export function peek(store: Store, on: boolean): void {
  if (on === peeking.has(store)) return;
  if (on) peeking.add(store);
  else peeking.delete(store);
  store.audience.tell();
}

export function isPeeking(store: Store): boolean {
  return peeking.has(store);
}

/** Makes a button that peeks while it is held, with a pointer or with a key. */
export function peeksWhileHeld(button: HTMLButtonElement, store: Store, signal: AbortSignal): void {
  const on = () => peek(store, true);
  const off = () => peek(store, false);
  const key = (event: KeyboardEvent) => event.key === " " || event.key === "Enter";
  listen(button, "pointerdown", (event) => {
    // So that the end of the touch is told here wherever the finger is then.
    button.setPointerCapture?.(event.pointerId);
    on();
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"] as const) {
    listen(button, name, off);
  }
  listen(button, "keydown", (event) => key(event) && on());
  listen(button, "keyup", (event) => key(event) && off());
  listen(button, "contextmenu", (event) => event.preventDefault());
  signal.addEventListener("abort", off);
}
