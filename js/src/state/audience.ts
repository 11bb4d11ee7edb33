/** Who looks: the views that want to hear of changes, and those of them that can be seen. */
export class Audience {
  readonly #listeners = new Set<() => void>();
  readonly #visible = new Set<object>();

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setVisible(view: object, visible: boolean): void {
    if (visible) this.#visible.add(view);
    else this.#visible.delete(view);
  }

  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Runs `action` when what has just come is drawn, or at once where nobody can see it; tells which. */
  whenDrawn(action: (visible: boolean) => void): void {
    const visible = this.#visible.size > 0 && globalThis.document?.visibilityState !== "hidden";
    if (!visible) action(false);
    else requestAnimationFrame(() => requestAnimationFrame(() => action(true)));
  }
}
