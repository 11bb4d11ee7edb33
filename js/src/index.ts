import type { HostModel } from "./state/model";
import { join } from "./state/registry";
import { mount } from "./view/view";

interface Context {
  model: HostModel;
  signal?: AbortSignal;
}

/** Hears the model from its first message on. Hosts give this little time: nothing is decoded here. */
function initialize({ model, signal }: Context): () => void {
  return once(join(model).leave, signal);
}

function render({ model, el, signal }: Context & { el: HTMLElement }): () => void {
  const { store, leave } = join(model);
  const controller = new AbortController();
  mount(el, store, controller.signal);
  return once(() => {
    controller.abort();
    leave();
  }, signal);
}

/** `action` as a function that acts once, also when `signal` aborts before or after it is called. */
function once(action: () => void, signal: AbortSignal | undefined): () => void {
  let done = false;
  const act = () => {
    if (done) return;
    done = true;
    signal?.removeEventListener("abort", act);
    action();
  };
  if (signal?.aborted) act();
  else signal?.addEventListener("abort", act);
  return act;
}

export default { initialize, render };
