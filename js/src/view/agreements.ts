import { type Agreement, agreement } from "../map/agree";
import type { Store } from "../state/store";
import type { Drawn } from "./scene";

/** How much pairs of maps agree, computed once each while nothing else is to do. */
export function makeAgreements(store: Store, signal: AbortSignal) {
  const pairs = new WeakMap<Float32Array, WeakMap<Float32Array, Agreement>>();
  const queue: [Drawn, Drawn][] = [];
  let waiting = false;

  /** null where it is not known yet, or where two maps are not of one picture. */
  function of(a: Drawn, b: Drawn): Agreement | null {
    if (a.header.image !== b.header.image || a.loaded.values === b.loaded.values) return null;
    const known = pairs.get(a.loaded.values)?.get(b.loaded.values);
    if (known) return known;
    const asked = queue.some(
      ([x, y]) => x.loaded.values === a.loaded.values && y.loaded.values === b.loaded.values,
    );
    if (!asked) queue.push([a, b]);
    computeLater();
    return null;
  }

  function computeLater(): void {
    if (waiting || queue.length === 0) return;
    waiting = true;
    const later = globalThis.requestIdleCallback ?? ((action: () => void) => setTimeout(action, 100));
    later(() => {
      waiting = false;
      const pair = queue.shift();
      if (signal.aborted || !pair) return;
      compute(...pair);
      store.audience.tell();
      computeLater();
    });
  }

  function compute(a: Drawn, b: Drawn): void {
    const { maps } = store;
    const found = agreement(maps.field(a.loaded, "absolute"), maps.field(b.loaded, "absolute"));
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const row = pairs.get(x.loaded.values) ?? new WeakMap<Float32Array, Agreement>();
      pairs.set(x.loaded.values, row.set(y.loaded.values, found));
    }
  }

  return { of };
}
