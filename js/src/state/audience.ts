/** Who looks: the views that want to hear of changes, and those of them that can be seen. */
export class Audience {
  readonly #listeners = new Set<() => void>();
  readonly #visible = new Set<object>();
  #could = false;

  /** `seen` is called when what could not be seen can be seen now. */
  constructor(readonly seen: () => void) {}

  subscribe(listener: () => void): () => void {
    if (this.#listeners.size === 0) globalThis.document?.addEventListener("visibilitychange", this.#look);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) {
        globalThis.document?.removeEventListener("visibilitychange", this.#look);
      }
    };
  }

  setVisible(view: object, visible: boolean): void {
    if (visible) this.#visible.add(view);
    else this.#visible.delete(view);
    this.#look();
  }

  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Runs `action` when what has just come is drawn, or at once where nobody can see it; tells which. */
  whenDrawn(action: (visible: boolean) => void): void {
    if (!this.#can) action(false);
    else requestAnimationFrame(() => requestAnimationFrame(() => action(true)));
  }

  get #can(): boolean {
    return this.#visible.size > 0 && globalThis.document?.visibilityState !== "hidden";
  }

  readonly #look = (): void => {
    const could = this.#could;
    this.#could = this.#can;
    if (this.#could && !could) this.seen();
  };
}
