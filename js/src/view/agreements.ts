import { type Agreement, agreement } from "../map/agree";
import type { Store } from "../state/store";
import type { Drawn } from "./scene";

/** How much pairs of maps agree, computed once each while nothing else is to do. */
export class Agreements {
  readonly #known = new WeakMap<Float32Array, WeakMap<Float32Array, Agreement>>();
  readonly #queue: [Drawn, Drawn][] = [];
  #waiting = false;

  constructor(
    readonly store: Store,
    readonly signal: AbortSignal,
  ) {}

  /** null where it is not known yet, or where two maps are not of one picture. */
  of(a: Drawn, b: Drawn): Agreement | null {
    if (a.header.image !== b.header.image || a.loaded.values === b.loaded.values) return null;
    const known = this.#known.get(a.loaded.values)?.get(b.loaded.values);
    if (known) return known;
    const asked = this.#queue.some(
      ([x, y]) => x.loaded.values === a.loaded.values && y.loaded.values === b.loaded.values,
    );
    if (!asked) this.#queue.push([a, b]);
    this.#later();
    return null;
  }

  #later(): void {
    if (this.#waiting || this.#queue.length === 0) return;
    this.#waiting = true;
    const later = globalThis.requestIdleCallback ?? ((action: () => void) => setTimeout(action, 100));
    later(() => {
      this.#waiting = false;
      const pair = this.#queue.shift();
      if (this.signal.aborted || !pair) return;
      this.#compute(...pair);
      this.store.audience.tell();
      this.#later();
    });
  }

  #compute(a: Drawn, b: Drawn): void {
    const { maps } = this.store;
    const found = agreement(maps.field(a.loaded, "absolute"), maps.field(b.loaded, "absolute"));
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const row = this.#known.get(x.loaded.values) ?? new WeakMap<Float32Array, Agreement>();
      this.#known.set(x.loaded.values, row.set(y.loaded.values, found));
    }
  }
}
