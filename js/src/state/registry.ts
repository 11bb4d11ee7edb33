import type { HostModel } from "./model";
import { Model } from "./model";
import { Store } from "./store";

const known = new WeakMap<object, Store>();
const live = new Set<Store>();

/**
 * The store of a host's model, with the model attached to it until the returned function is called. All views of one model
 * share one, also where the host gives each view a proxy of its own.
 */
export function join(raw: HostModel): { store: Store; leave: () => void } {
  const model = new Model(raw);
  let store = known.get(raw);
  if (!store?.attached) store = [...live].find((one) => one.isOf(model)) ?? new Store();
  known.set(raw, store);
  live.add(store);
  const joined = store;
  const detach = joined.attach(model);
  return {
    store: joined,
    leave: () => {
      detach();
      if (!joined.attached) live.delete(joined);
    },
  };
}
