import { count, joined } from "../map/format";
import type { Store } from "../state/store";
import { make, setAttribute, setText } from "./dom";
import { button } from "./fields";
import { framingOf } from "./framing";
import { makePanels } from "./panels";
import { peeksWhileHeld } from "./peek";
import type { Place } from "./place";
import type { Scene } from "./scene";
import { makeStage } from "./stage";
import { canZoom, fit as fitWhole, zoomBy } from "./viewport";

/** A click on a button zooms by so much. */
const STEP = 2;

/** The map that is shown, those beside it, and the buttons under them. */
export function makeStages(
  store: Store,
  signal: AbortSignal,
  hovered: (place: Place) => void,
  drew: (from: Place, to: Place, done: boolean) => void,
) {
  const element = make("div.stages");
  const inButton = tool("+", "Zoom in", () => zoomBy(store, STEP));
  const outButton = tool("\u2212", "Zoom out", () => zoomBy(store, 1 / STEP));
  const fitButton = tool("Fit", "Fit", () => fitWhole(store));
  const loupe = button("Loupe", toggleLoupe, { "aria-pressed": "false" });
  const zoom = make("output.quiet", { "data-field": "zoom", "aria-live": "off" });
  const words = make("p.quiet.seen", { "data-field": "seen" });
  const stage = makeStage(store, hovered, drew);
  const panels = makePanels(store, signal, stage, hovered);
  const peek = make("button.small", { title: "Hold to see the photograph without the map" }, "Peek");
  peeksWhileHeld(peek, store, signal);
  const tools = make("div.tools", { role: "group", "aria-label": "Picture" });
  tools.append(outButton, fitButton, inButton, loupe, peek, zoom);
  element.append(panels.element, tools, words);
  watchPixels();

  function update(scene: Scene, place: Place): void {
    stage.update(scene, place);
    panels.update(scene, place);
    const can = canZoom(store);
    setAttribute(inButton, "aria-disabled", !can.in && "true");
    setAttribute(outButton, "aria-disabled", !can.out && "true");
    setAttribute(fitButton, "aria-disabled", !can.out && "true");
    setText(zoom, zoomWords(scene.viewport.zoom));
    setText(words, seenWords(scene));
    words.hidden = words.textContent === "";
  }

  function drawCross(place: Place): void {
    stage.drawCross(place);
    panels.drawCross(place);
  }

  function toggleLoupe(): void {
    const on = !stage.loupe;
    stage.turnLoupe(on);
    setAttribute(loupe, "aria-pressed", String(on));
  }

  function forget(): void {
    stage.forget();
    panels.forget();
  }

  /** The room on the page may have changed. */
  function refit(): void {
    const changed = [stage.fit(), panels.fit()];
    if (changed.includes(true)) store.audience.tell();
  }

  /** A window that is moved to another screen, or a page that is zoomed, has pixels of another size. */
  function watchPixels(): void {
    const query = window.matchMedia?.(`(resolution: ${window.devicePixelRatio || 1}dppx)`);
    query?.addEventListener?.(
      "change",
      () => {
        refit();
        watchPixels();
      },
      { once: true, signal },
    );
  }

  function seenWords(scene: Scene): string {
    const { store, info, size, drawn } = scene;
    const { words } = framingOf(store, info, size);
    return joined(" ", [words, drawn ? resolutionWords(scene) : ""]);
  }

  /** A map that was reduced to travel is not on display as it is. */
  function resolutionWords({ drawn, store }: Scene): string {
    const from = drawn?.header.reducedFrom;
    if (!drawn || !from) return "";
    const { detail } = stage;
    const full = `${count(from[1])} × ${count(from[0])}`;
    if (detail?.whole) return `On display at full resolution, ${full}.`;
    if (detail) return `Full resolution, ${full}, is on its way.`;
    const reduced = `${count(drawn.field.width)} × ${count(drawn.field.height)}`;
    const more = store.canAsk ? "zoom in for all of it" : "the rest needs a kernel";
    return `On display at ${reduced}, reduced from ${full}; ${more}.`;
  }

  return {
    element,
    update,
    describe: stage.describe,
    drawCross,
    point: stage.point,
    /** The stage of the map on display. */
    shown: stage.element,
    toggleLoupe,
    fineAt: stage.fineAt,
    forget,
    fit: refit,
  };
}

function tool(text: string, name: string, act: () => void): HTMLButtonElement {
  return button(text, act, { "aria-label": name, title: name });
}

function zoomWords(zoom: number): string {
  if (zoom === 1) return "whole picture";
  return `${zoom < 10 ? zoom.toFixed(1) : count(zoom)} ×`;
}
