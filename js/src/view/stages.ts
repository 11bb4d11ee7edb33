import { count } from "../map/format";
import type { Store } from "../state/store";
import type { Fine } from "./detail";
import { make, setAttribute, setText } from "./dom";
import { framingOf } from "./framing";
import { Panels } from "./panels";
import { peeksWhileHeld } from "./peek";
import type { Place } from "./place";
import type { Scene } from "./scene";
import { Stage } from "./stage";
import { canZoom, fit as fitWhole, zoomBy } from "./viewport";

/** A click on a button zooms by so much. */
const STEP = 2;

/** The map that is shown, those beside it, and the buttons under them. */
export class Stages {
  readonly element = make("div", { class: "stages" });
  readonly #stage: Stage;
  readonly #panels: Panels;
  readonly #in = button("+", "Zoom in");
  readonly #out = button("\u2212", "Zoom out");
  readonly #fit = button("Fit", "Fit");
  readonly #loupe = make("button", { type: "button", class: "small", "aria-pressed": "false" }, "Loupe");
  readonly #zoom = make("output", { class: "quiet", "data-field": "zoom", "aria-live": "off" });
  readonly #words = make("p", { class: "quiet seen", "data-field": "seen" });

  constructor(
    readonly store: Store,
    readonly signal: AbortSignal,
    hovered: (place: Place) => void,
  ) {
    this.#stage = new Stage(store, signal, hovered);
    this.#panels = new Panels(store, signal, this.#stage, hovered);
    const peek = make(
      "button",
      { type: "button", class: "small", title: "Hold to see the photograph without the map" },
      "Peek",
    );
    peeksWhileHeld(peek, store, signal);
    const act = (on: HTMLElement, action: () => void) => on.addEventListener("click", action, { signal });
    act(this.#in, () => zoomBy(store, STEP));
    act(this.#out, () => zoomBy(store, 1 / STEP));
    act(this.#fit, () => fitWhole(store));
    act(this.#loupe, () => this.toggleLoupe());
    const tools = make("div", { class: "tools", role: "group", "aria-label": "Picture" });
    tools.append(this.#out, this.#fit, this.#in, this.#loupe, peek, this.#zoom);
    this.element.append(this.#panels.element, tools, this.#words);
    this.#watchPixels();
  }

  update(scene: Scene, place: Place): void {
    this.#stage.update(scene, place);
    this.#panels.update(scene, place);
    const can = canZoom(this.store);
    setAttribute(this.#in, "aria-disabled", !can.in && "true");
    setAttribute(this.#out, "aria-disabled", !can.out && "true");
    setAttribute(this.#fit, "aria-disabled", !can.out && "true");
    setText(this.#zoom, zoomWords(scene.viewport.zoom));
    setText(this.#words, this.#seenWords(scene));
    this.#words.hidden = this.#words.textContent === "";
  }

  describe(words: string): void {
    this.#stage.describe(words);
  }

  drawCross(place: Place): void {
    this.#stage.drawCross(place);
    this.#panels.drawCross(place);
  }

  toggleLoupe(): void {
    const on = !this.#stage.loupe;
    this.#stage.turnLoupe(on);
    setAttribute(this.#loupe, "aria-pressed", String(on));
  }

  /** The map at its full resolution at a place; null where that is not on display. */
  fineAt(place: Place): Fine | null {
    return this.#stage.fineAt(place);
  }

  forget(): void {
    this.#stage.forget();
    this.#panels.forget();
  }

  /** The room on the page may have changed. */
  fit(): void {
    const changed = [this.#stage.fit(), this.#panels.fit()];
    if (changed.includes(true)) this.store.audience.tell();
  }

  /** A window that is moved to another screen, or a page that is zoomed, has pixels of another size. */
  #watchPixels(): void {
    const query = window.matchMedia?.(`(resolution: ${window.devicePixelRatio || 1}dppx)`);
    query?.addEventListener?.(
      "change",
      () => {
        this.fit();
        this.#watchPixels();
      },
      { once: true, signal: this.signal },
    );
  }

  #seenWords(scene: Scene): string {
    const { store, info, size, drawn } = scene;
    const { words } = framingOf(store, info, size);
    return [words, drawn ? this.#resolutionWords(scene) : ""].filter(Boolean).join(" ");
  }

  /** A map that was reduced to travel is not on display as it is. */
  #resolutionWords({ drawn, store }: Scene): string {
    const from = drawn?.header.reducedFrom;
    if (!drawn || !from) return "";
    const { detail } = this.#stage;
    const full = `${count(from[1])} × ${count(from[0])}`;
    if (detail?.whole) return `On display at full resolution, ${full}.`;
    if (detail) return `Full resolution, ${full}, is on its way.`;
    const reduced = `${count(drawn.field.width)} × ${count(drawn.field.height)}`;
    const more = store.canAsk ? "zoom in for all of it" : "the rest needs a kernel";
    return `On display at ${reduced}, reduced from ${full}; ${more}.`;
  }
}

function button(text: string, name: string): HTMLButtonElement {
  return make("button", { type: "button", class: "small", "aria-label": name, title: name }, text);
}

function zoomWords(zoom: number): string {
  if (zoom === 1) return "whole picture";
  return `${zoom < 10 ? zoom.toFixed(1) : count(zoom)} ×`;
}
