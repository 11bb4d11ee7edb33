import { percentAt, positionOf, STEPS } from "../map/scale";
import type { Store } from "../state/store";
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
}

const SIGNS = ["absolute", "signed", "positive", "negative"] as const;
/** A gesture of repeated keys is over when they pause for so long. */
const PAUSE = 600;

/** Single keys that work while `element` has the focus, and nowhere else: screen readers and text boxes keep theirs. */
export function crosshairKeys(
  element: HTMLElement,
  store: Store,
  actions: Actions,
  signal: AbortSignal,
): void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const saveSoon = () => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  };
  const save = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    store.save();
  };
  const set = (name: string, value: unknown) => {
    store.set(name, value);
    saveSoon();
  };
  const act = (event: KeyboardEvent): boolean => {
    const { key } = event;
    const to = movedBy(event, actions.place(), actions.size());
    if (to) {
      actions.move(to);
      return true;
    }
    const { traits } = store;
    switch (key) {
      case "[":
      case "]": {
        const at = positionOf(traits.threshold) + (key === "[" ? 5 : -5);
        set("threshold", percentAt(Math.max(0, Math.min(STEPS, at))));
        return true;
      }
      case "+":
      case "=":
        actions.zoom(1.5);
        saveSoon();
        return true;
      case "-":
        actions.zoom(1 / 1.5);
        saveSoon();
        return true;
      case "0":
        actions.fit();
        saveSoon();
        return true;
      case "s":
        set("sign", SIGNS[(SIGNS.indexOf(traits.sign) + 1) % SIGNS.length]);
        return true;
      case "l": {
        const locked = traits.scale === "locked";
        if (!locked) store.set("level", levelNow(store));
        set("scale", locked ? "own" : "locked");
        return true;
      }
      case "o":
        if (!event.repeat) actions.peek(true);
        return true;
      case "p":
        if (!event.repeat) actions.pin();
        return true;
      case "g":
        actions.loupe();
        return true;
      case "?":
        actions.help();
        return true;
      case "c":
        actions.focusClass();
        return true;
      case "v":
        actions.focusVersus();
        return true;
      case "m":
      case "M":
        nextMethod(store, key === "m" ? 1 : -1);
        return true;
      case "Enter":
        if (store.shown && (!store.shown.final || store.shown.outdated)) store.goOn();
        return true;
      case "Escape":
        if (store.protocol.flight) store.stop();
        return true;
      case "z":
        store.undo();
        return true;
      case "Z":
        store.redo();
        return true;
      default: {
        const best = /^[1-5]$/.test(key) ? store.info.prediction[Number(key) - 1] : undefined;
        if (best) store.choose({ index: best.index });
        return best !== undefined;
      }
    }
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
      if (timer !== null) save();
    },
    { signal },
  );
  signal.addEventListener("abort", () => timer !== null && clearTimeout(timer));
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
