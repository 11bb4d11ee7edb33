import type { Store } from "../state/store";
import { listen, make, setText } from "./dom";
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
  box_threshold: 0.5,
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
  ["1 – 5", "a likely class, or box"],
  ["c  v", "search a class, one to compare with"],
  ["m  M", "next, previous method"],
  ["Enter", "choose the pixel or the box here; go on, or compute again"],
  ["r", "a corner of a region, then the other"],
  ["Esc", "stop, or close"],
  ["z  Z", "undo, redo"],
  ["?", "this help"],
];

const TRUTH = [
  "A map shows what the score is sensitive to. It does not show what caused it: a gradient says what a very small change would do, and nothing about taking an object away.",
  "Single pixels flicker. Look for what stays when the method, the class or the noise changes.",
  "A place that stays dark may have decided the matter all the same, where the model is saturated.",
];

/** Undo, redo, reset, copy and help. */
export function makeToolbar(store: Store, copy: () => Promise<string>) {
  let before: HTMLElement | null = null;
  const undo = button("Undo", () => store.undo());
  const redo = button("Redo", () => store.redo());
  const reset = button("Reset view", () => {
    for (const [name, value] of Object.entries(USUAL)) store.set(name, value);
    store.save();
  });
  const helpButton = button("Help", toggle, { "aria-expanded": "false" });
  const copyButton = button("Copy picture", async () => {
    // As wide as before, so that nothing beside it moves.
    copyButton.style.minWidth = `${copyButton.offsetWidth}px`;
    setText(copyButton, await copy());
    setTimeout(() => setText(copyButton, "Copy picture"), 2000);
  });
  const element = make("div.toolbar", { role: "group", "aria-label": "Tools" });
  element.append(undo, redo, reset, copyButton, helpButton);
  const keys = make("dl.keys");
  for (const [key, does] of KEYS) keys.append(make("dt", key), make("dd", does));
  const close = button("Close", () => toggle(false));
  const help = make("section.help", { hidden: true, tabindex: -1, "aria-label": "Help" });
  help.append(
    make("h3", make("strong", "What a map is")),
    ...TRUTH.map((one) => make("p", one)),
    make("h3", make("strong", "Keys, while the crosshair has the focus")),
    keys,
    close,
  );
  listen(help, "keydown", (event) => {
    if (event.key !== "Escape") return;
    toggle(false);
    event.stopPropagation();
  });

  /** The focus goes into the help, and back to where it was. */
  function toggle(open = help.hidden === true): void {
    if (open === !help.hidden) return;
    const root = help.getRootNode() as ShadowRoot | Document;
    if (open) before = root.activeElement as HTMLElement | null;
    help.hidden = !open;
    helpButton.setAttribute("aria-expanded", String(open));
    if (open) help.focus();
    else (before ?? helpButton).focus();
  }

  function update({ store }: Scene): void {
    undo.disabled = !store.history.canUndo;
    redo.disabled = !store.history.canRedo;
  }

  return { element, help, toggle, update };
}
