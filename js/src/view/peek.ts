import type { Store } from "../state/store";

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
  button.addEventListener(
    "pointerdown",
    (event) => {
      // So that the end of the touch is told here wherever the finger is then.
      button.setPointerCapture?.(event.pointerId);
      on();
    },
    { signal },
  );
  for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    button.addEventListener(name, off, { signal });
  }
  button.addEventListener("keydown", (event) => key(event) && on(), { signal });
  button.addEventListener("keyup", (event) => key(event) && off(), { signal });
  button.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  signal.addEventListener("abort", off);
}
