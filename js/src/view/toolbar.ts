import type { Store } from "../state/store";
import { make } from "./dom";
import { button } from "./fields";
import type { Scene } from "./scene";

const USUAL: Record<string, unknown> = {
  look: "overlay",
  sign: "absolute",
  reduction: "default",
  threshold: 100,
  clip: 99,
  colormap: "",
  opacity: 0.6,
  photo: "grey",
  cells: false,
  frame: "model",
  viewport: [1, 0.5, 0.5],
  scale: "own",
  level: 0,
  pins: [],
  panels: [],
};

const KEYS: readonly (readonly [string, string])[] = [
  ["← ↑ ↓ →", "one pixel; with Shift ten"],
  ["+  −  0", "zoom in, out, all of it"],
  ["[  ]", "keep less, keep more"],
  ["s", "next sign"],
  ["o", "hold: the photograph alone"],
  ["p", "pin the reading"],
  ["g", "loupe"],
  ["l", "lock the scale"],
  ["1 – 5", "a likely class"],
  ["c  v", "search a class, one to compare with"],
  ["m  M", "next, previous method"],
  ["Enter", "go on, or compute again"],
  ["Esc", "stop, or close"],
  ["z  Z", "undo, redo"],
  ["?", "this help"],
];

const TRUTH = [
  "A map shows what the score is sensitive to. It does not show what caused it: a gradient says what a very small change would do, and nothing about taking an object away.",
  "Single pixels flicker. Look for what stays when the method, the class or the noise changes.",
  "A place that stays dark may have decided the matter all the same, where the model is saturated.",
];

/** Undo, redo, reset and help. */
export class Toolbar {
  readonly element: HTMLElement;
  readonly help: HTMLElement;
  readonly #undo: HTMLButtonElement;
  readonly #redo: HTMLButtonElement;
  readonly #open: HTMLButtonElement;
  #before: HTMLElement | null = null;

  constructor(store: Store, signal: AbortSignal) {
    this.#undo = button("Undo", signal, () => store.undo());
    this.#redo = button("Redo", signal, () => store.redo());
    const reset = button("Reset view", signal, () => {
      for (const [name, value] of Object.entries(USUAL)) store.set(name, value);
      store.save();
    });
    this.#open = button("Help", signal, () => this.toggle());
    this.#open.setAttribute("aria-expanded", "false");
    this.element = make("div", { class: "toolbar", role: "group", "aria-label": "Tools" });
    this.element.append(this.#undo, this.#redo, reset, this.#open);
    const keys = make("dl", { class: "keys" });
    for (const [key, does] of KEYS) keys.append(make("dt", {}, key), make("dd", {}, does));
    const close = button("Close", signal, () => this.toggle(false));
    this.help = make("section", { class: "help", hidden: true, tabindex: -1, "aria-label": "Help" });
    this.help.append(
      make("h3", {}, make("strong", {}, "What a map is")),
      ...TRUTH.map((one) => make("p", {}, one)),
      make("h3", {}, make("strong", {}, "Keys, while the crosshair has the focus")),
      keys,
      close,
    );
    this.help.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape") return;
        this.toggle(false);
        event.stopPropagation();
      },
      { signal },
    );
  }

  /** The focus goes into the help, and back to where it was. */
  toggle(open = this.help.hidden === true): void {
    if (open === !this.help.hidden) return;
    const root = this.help.getRootNode() as ShadowRoot | Document;
    if (open) this.#before = root.activeElement as HTMLElement | null;
    this.help.hidden = !open;
    this.#open.setAttribute("aria-expanded", String(open));
    if (open) this.help.focus();
    else (this.#before ?? this.#open).focus();
  }

  update({ store }: Scene): void {
    this.#undo.disabled = !store.history.canUndo;
    this.#redo.disabled = !store.history.canRedo;
  }
}
