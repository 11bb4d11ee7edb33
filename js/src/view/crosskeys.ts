import { percentAt, positionOf } from "../map/scale";
import type { Store } from "../state/store";
import { likely } from "./boxes";
import { movedBy } from "./crosshair";
import type { Place } from "./place";

/** What the keys of the crosshair do beyond the store. */
export interface Actions {
  place(): Place;
  size(): readonly [number, number];
  move(place: Place): void;
  zoom(factor: number): void;
  fit(): void;
  peek(on: boolean): void;
  pin(): void;
  loupe(): void;
  help(): void;
  focusClass(): void;
  focusVersus(): void;
  /** Asks for what is at the crosshair, where the model has something there; whether it did. */
  choose(): boolean;
  /** The first corner of a region, or the second. */
  corner(): void;
  /** Lets go of the first corner; whether there was one. */
  cancel(): boolean;
}

/** Single keys that work while `element` has the focus, and nowhere else: screen readers and text boxes keep theirs. */
export function crosshairKeys(
  element: HTMLElement,
  store: Store,
  actions: Actions,
  signal: AbortSignal,
): void {
  const set = (name: string, value: unknown) => {
    store.set(name, value);
    store.saveSoon();
  };
  const threshold = (by: number) => set("threshold", percentAt(positionOf(store.traits.threshold) + by));
  const keys: Record<string, (event: KeyboardEvent) => void> = {
    "[": () => threshold(5),
    "]": () => threshold(-5),
    "+": () => actions.zoom(1.5),
    "=": () => actions.zoom(1.5),
    "-": () => actions.zoom(1 / 1.5),
    "0": actions.fit,
    s: () => {
      const { sign, signs } = store.traits;
      set("sign", signs[(signs.indexOf(sign) + 1) % signs.length]);
    },
    l: () => {
      const locked = store.traits.scale === "locked";
      if (!locked) store.set("level", levelNow(store));
      set("scale", locked ? "own" : "locked");
    },
    o: ({ repeat }) => repeat || actions.peek(true),
    p: ({ repeat }) => repeat || actions.pin(),
    g: actions.loupe,
    "?": actions.help,
    c: actions.focusClass,
    v: actions.focusVersus,
    m: () => nextMethod(store, 1),
    M: () => nextMethod(store, -1),
    Enter: () => {
      if (!actions.choose() && store.shown && (!store.shown.final || store.shown.outdated)) store.goOn();
    },
    r: ({ repeat }) => repeat || actions.corner(),
    Escape: () => {
      if (!actions.cancel() && store.protocol.flight) store.stop();
    },
    z: () => store.undo(),
    Z: () => store.redo(),
  };
  const act = (event: KeyboardEvent): boolean => {
    const { key } = event;
    const to = movedBy(event, actions.place(), actions.size());
    if (to) actions.move(to);
    else if (keys[key]) keys[key](event);
    else {
      const best = /^[1-5]$/.test(key) ? likely(store.info)[Number(key) - 1] : undefined;
      if (best) store.choose(best);
      return best !== undefined;
    }
    return true;
  };
  element.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (act(event)) event.preventDefault();
    },
    { signal },
  );
  const release = () => actions.peek(false);
  element.addEventListener("keyup", (event) => event.key === "o" && release(), { signal });
  element.addEventListener(
    "blur",
    () => {
      release();
      store.settle();
    },
    { signal },
  );
}

function nextMethod(store: Store, step: number): void {
  const { methods } = store.traits.catalogue;
  const at = methods.findIndex((one) => one.name === store.want.method);
  for (let i = 1; i <= methods.length; i++) {
    const next = methods[(at + step * i + methods.length * i) % methods.length];
    if (next && store.can({ method: next.name })) {
      store.choose({ method: next.name });
      return;
    }
  }
}

function levelNow(store: Store): number {
  const header = store.shown;
  const loaded = header && store.load(header);
  if (!loaded) return 0;
  const { sign, reduction, clip } = store.traits;
  return store.maps.field(loaded, sign, reduction).level(clip);
}
