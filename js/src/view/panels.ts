import type { Agreement } from "../map/agree";
import { joined, number3, shorten } from "../map/format";
import type { Store } from "../state/store";
import { keyOf, type Want } from "../state/want";
import { makeAgreements } from "./agreements";
import { agreementWords, overallWords, removePanel, showPanel, titlesOf } from "./compare";
import { listen, make, setAttribute, setText } from "./dom";
import { carried, type Place } from "./place";
import type { Drawn, Panel, Scene } from "./scene";
import { makeStage, type Stage } from "./stage";
import { keptWords } from "./words";

/** The shown map's stage and, beside it, those of further maps: one zoom, one crosshair, one sentence on how they agree. */
export function makePanels(store: Store, signal: AbortSignal, shown: Stage, hovered: (place: Place) => void) {
  const element = make("div.panels");
  const grid = make("div.grid");
  const overall = make("p.overall", { "data-field": "agreement" });
  const frames = new Map<string, Further>();
  let current: Scene | null = null;
  let asked = false;
  const agreements = makeAgreements(store, signal);
  const first = makeFrame(shown);
  grid.append(first.element);
  element.append(grid, overall);

  function update(scene: Scene, place: Place): void {
    current = scene;
    const { panels, drawn, store } = scene;
    const some = panels.length > 0;
    if (some) askOnce(panels);
    setAttribute(element, "data-panels", some && panels.length + 1);
    overall.hidden = !some;
    const titles = some ? titlesOf(store, [store.want, ...panels.map((panel) => panel.want)]) : [""];
    const own = store.traits.scale === "own";
    first.say(some ? titles[0]! : "", some ? levelWords(drawn, own) : "");
    const used = new Set<string>();
    const pairs: Agreement[] = [];
    panels.forEach((panel, i) => {
      let key = keyOf(panel.want);
      while (used.has(key)) key += "'";
      used.add(key);
      const frame = frames.get(key) ?? add(key);
      const agreement = drawn && panel.drawn ? agreements.of(drawn, panel.drawn) : null;
      frame.update(scene, panel, place, {
        title: titles[i + 1]!,
        agreement: agreement ? agreementWords(agreement, "the first") : "",
        own,
        index: i,
      });
      const next = grid.children[i + 1] ?? null;
      if (next !== frame.element) grid.insertBefore(frame.element, next);
    });
    for (const [key, frame] of frames) {
      if (used.has(key)) continue;
      frame.remove();
      frames.delete(key);
    }
    if (!some) return;
    const all = [drawn, ...panels.map((panel) => panel.drawn)].filter((one): one is Drawn => one !== null);
    all.forEach((a, i) => {
      for (const b of all.slice(i + 1)) {
        const agreement = agreements.of(a, b);
        if (agreement) pairs.push(agreement);
      }
    });
    setText(overall, overallWords(pairs));
  }

  /** Panels that were there before the page was are asked for like those that are added. */
  function askOnce(panels: readonly Panel[]): void {
    if (asked || !store.canAsk) return;
    asked = true;
    if (panels.some((panel) => !panel.drawn)) store.set("panels", store.traits.value("panels"));
  }

  function drawCross(place: Place): void {
    const { size } = current ?? {};
    if (size) for (const frame of frames.values()) frame.drawCross(place, size);
  }

  function forget(): void {
    for (const frame of frames.values()) frame.stage.forget();
  }

  function fit(): boolean {
    return [...frames.values()].map((frame) => frame.stage.fit()).includes(true);
  }

  function add(key: string): Further {
    // Points in a panel are of its own picture; the view's crosshair is in pixels of the shown one.
    const over = (place: Place, size: Scene["size"]) => {
      const to = current?.size;
      if (to) hovered(carried(place, size, to));
    };
    const frame = makeFurther(store, over, (index) => focusAfter(index));
    frames.set(key, frame);
    return frame;
  }

  /** The focus stays among the panels when the one that had it is gone. */
  function focusAfter(index: number): void {
    requestAnimationFrame(() => {
      const left = [...frames.values()].sort((a, b) => a.index - b.index);
      const next = left[Math.min(index, left.length - 1)];
      if (next) next.focus();
      else element.parentElement?.querySelector<HTMLElement>(".tools button")?.focus();
    });
  }

  return { element, update, drawCross, forget, fit };
}

/** A stage with a title and a line below it. */
function makeFrame(stage: Stage) {
  const element = make("div.panel");
  const heading = make("p.panel-head");
  const below = make("p.quiet.panel-line");
  element.append(heading, stage.element, below);

  function say(title: string, line: string): void {
    heading.hidden = title === "";
    below.hidden = title === "";
    setText(heading, title);
    setText(below, line);
  }

  return { element, say };
}

interface Said {
  readonly title: string;
  readonly agreement: string;
  /** Whether each map has a scale of its own. */
  readonly own: boolean;
  readonly index: number;
}

function makeFurther(
  store: Store,
  hovered: (place: Place, size: Scene["size"]) => void,
  removed: (index: number) => void,
) {
  const element = make("div.panel", { role: "group" });
  let index = 0;
  const heading = make("button.panel-title");
  const removeButton = make("button.small.remove", "×");
  const below = make("p.quiet.panel-line");
  let ownSize: Scene["size"] = [1, 1];
  const stage = makeStage(store, (place) => hovered(place, ownSize));
  listen(heading, "click", () => showPanel(store, index));
  listen(removeButton, "click", () => {
    removePanel(store, index);
    removed(index);
  });
  element.append(make("div.panel-head", heading, removeButton), stage.element, below);

  function update(
    scene: Scene,
    panel: Panel,
    place: Place,
    { title, agreement, own, index: at }: Said,
  ): void {
    index = at;
    const { drawn, trouble, want } = panel;
    const part = sceneFor(scene, panel);
    const first = ownSize;
    ownSize = part.size;
    stage.update(part, carried(place, scene.size, part.size));
    if (first[0] === 1 && first[1] === 1) stage.fit();
    setText(heading, title);
    setAttribute(heading, "title", `Show ${title} first`);
    setAttribute(removeButton, "aria-label", `Remove ${title}`);
    setAttribute(removeButton, "title", `Remove ${title}`);
    setAttribute(element, "aria-label", title);
    const state = drawn
      ? ""
      : trouble
        ? `Could not be computed. ${shorten(trouble, 300)}`
        : waitingWords(scene, want);
    setText(below, joined(" · ", [state, levelWords(drawn, own), agreement]));
    setAttribute(below, "data-state", drawn ? "shown" : trouble ? "trouble" : "waiting");
    stage.describe(drawn ? `${title}. Shown: ${keptWords(drawn)}.` : `${title}. ${state}`);
  }

  function drawCross(place: Place, size: Scene["size"]): void {
    stage.drawCross(carried(place, size, ownSize));
  }

  function focus(): void {
    removeButton.focus();
  }

  function remove(): void {
    element.remove();
  }

  return {
    element,
    stage,
    get index() {
      return index;
    },
    update,
    drawCross,
    focus,
    remove,
  };
}

type Further = ReturnType<typeof makeFurther>;

/** The scene as a panel of another map has it. */
function sceneFor(scene: Scene, { want, drawn }: Panel): Scene {
  const { store } = scene;
  const info = drawn?.info ?? store.traits.info(want.model, want.image);
  return {
    ...scene,
    info,
    labels: store.traits.labels(info),
    image: drawn?.image ?? store.traits.image(info),
    size: drawn?.size ?? [info.width || 1, info.height || 1],
    drawn,
    panels: [],
    // A photograph without a map could be taken for one whose map is empty.
    notice: { ...scene.notice, old: drawn === null },
  };
}

function waitingWords({ store }: Scene, want: Want): string {
  const { flight } = store.protocol;
  if (flight?.aside && keyOf(flight.want) === keyOf(want)) {
    return flight.total > 1 ? `Computing … ${flight.done} of ${flight.total}` : "Computing …";
  }
  return store.canAsk ? "Waits to be computed …" : "This page does not hold this map.";
}

/** Where scales differ, each names its own. */
function levelWords(drawn: Drawn | null, own: boolean): string {
  if (!drawn || drawn.level === 0 || !own) return "";
  return `colours to ${number3(drawn.level)}`;
}
