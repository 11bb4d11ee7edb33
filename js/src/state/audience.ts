/** Who looks: the views that want to hear of changes, and those of them that can be seen. */
export type Audience = ReturnType<typeof makeAudience>;

/** `seen` is called when what could not be seen can be seen now. */
export function makeAudience(seen: () => void) {
  const page = globalThis.document as Document | undefined;
  const listeners = new Set<() => void>();
  const visible = new Set<object>();
  let could = false;

  const can = () => visible.size > 0 && page?.visibilityState !== "hidden";

  function look(): void {
    const before = could;
    could = can();
    if (could && !before) seen();
  }

  function subscribe(listener: () => void): () => void {
    if (listeners.size === 0) page?.addEventListener("visibilitychange", look);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) page?.removeEventListener("visibilitychange", look);
    };
  }

  function setVisible(view: object, isVisible: boolean): void {
    if (isVisible) visible.add(view);
    else visible.delete(view);
    look();
  }

  function tell(): void {
    for (const listener of [...listeners]) listener();
  }

  /** Runs `action` when what has just come is drawn, or at once where nobody can see it; tells which. */
  function whenDrawn(action: (isVisible: boolean) => void): void {
    if (!can()) action(false);
    // Right after the next frame, in which it is drawn: one more would cost a message a sixtieth of a second.
    else requestAnimationFrame(() => setTimeout(() => action(true)));
  }

  return { subscribe, setVisible, tell, whenDrawn };
}
