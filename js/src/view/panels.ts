import type { Agreement } from "../map/agree";
import { number3, shorten } from "../map/format";
import type { Store } from "../state/store";
import { keyOf, type Want } from "../state/want";
import { Agreements } from "./agreements";
import { agreementWords, overallWords, removePanel, showPanel, titlesOf } from "./compare";
import { make, setAttribute, setText } from "./dom";
import { carried, type Place } from "./place";
import type { Drawn, Panel, Scene } from "./scene";
import { Stage } from "./stage";
import { keptWords } from "./words";

/** The shown map's stage and, beside it, those of further maps: one zoom, one crosshair, one sentence on how they agree. */
export class Panels {
  readonly element = make("div", { class: "panels" });
  readonly #grid = make("div", { class: "grid" });
  readonly #first: Frame;
  readonly #overall = make("p", { class: "overall", "data-field": "agreement" });
  readonly #frames = new Map<string, Beside>();
  readonly #agreements: Agreements;
  #scene: Scene | null = null;
  #asked = false;

  constructor(
    readonly store: Store,
    readonly signal: AbortSignal,
    shown: Stage,
    readonly hovered: (place: Place) => void,
  ) {
    this.#agreements = new Agreements(store, signal);
    this.#first = new Frame(shown);
    this.#grid.append(this.#first.element);
    this.element.append(this.#grid, this.#overall);
  }

  update(scene: Scene, place: Place): void {
    this.#scene = scene;
    const { panels, drawn, store } = scene;
    const some = panels.length > 0;
    if (some) this.#askOnce(panels);
    setAttribute(this.element, "data-panels", some && panels.length + 1);
    this.#overall.hidden = !some;
    const titles = some ? titlesOf(store, [store.want, ...panels.map((panel) => panel.want)]) : [""];
    const own = store.traits.scale === "own";
    this.#first.say(some ? titles[0]! : "", some ? levelWords(drawn, own) : "");
    const used = new Set<string>();
    const pairs: Agreement[] = [];
    panels.forEach((panel, i) => {
      let key = keyOf(panel.want);
      while (used.has(key)) key += "'";
      used.add(key);
      const frame = this.#frames.get(key) ?? this.#make(key);
      const agreement = drawn && panel.drawn ? this.#agreements.of(drawn, panel.drawn) : null;
      frame.update(scene, panel, place, {
        title: titles[i + 1]!,
        agreement: agreement ? agreementWords(agreement, "the first") : "",
        own,
      });
      frame.index = i;
      const next = this.#grid.children[i + 1] ?? null;
      if (next !== frame.element) this.#grid.insertBefore(frame.element, next);
    });
    for (const [key, frame] of this.#frames) {
      if (used.has(key)) continue;
      frame.remove();
      this.#frames.delete(key);
    }
    if (!some) return;
    const all = [drawn, ...panels.map((panel) => panel.drawn)].filter((one): one is Drawn => one !== null);
    all.forEach((a, i) => {
      for (const b of all.slice(i + 1)) {
        const agreement = this.#agreements.of(a, b);
        if (agreement) pairs.push(agreement);
      }
    });
    setText(this.#overall, overallWords(pairs));
  }

  /** Panels that were there before the page was are asked for like those that are added. */
  #askOnce(panels: readonly Panel[]): void {
    if (this.#asked || !this.store.canAsk) return;
    this.#asked = true;
    if (panels.some((panel) => !panel.drawn)) this.store.set("panels", this.store.traits.value("panels"));
  }

  drawCross(place: Place): void {
    const { size } = this.#scene ?? {};
    if (size) for (const frame of this.#frames.values()) frame.drawCross(place, size);
  }

  forget(): void {
    for (const frame of this.#frames.values()) frame.stage.forget();
  }

  fit(): boolean {
    return [...this.#frames.values()].map((frame) => frame.stage.fit()).includes(true);
  }

  #make(key: string): Beside {
    // Points in a panel are of its own picture; the view's crosshair is in pixels of the shown one.
    const hovered = (place: Place, size: Scene["size"]) => {
      const to = this.#scene?.size;
      if (to) this.hovered(carried(place, size, to));
    };
    const frame = new Beside(this.store, this.signal, hovered);
    frame.onRemoved = () => this.#focusAfter(frame.index);
    this.#frames.set(key, frame);
    return frame;
  }

  /** The focus stays among the panels when the one that had it is gone. */
  #focusAfter(index: number): void {
    requestAnimationFrame(() => {
      const left = [...this.#frames.values()].sort((a, b) => a.index - b.index);
      const next = left[Math.min(index, left.length - 1)];
      if (next) next.focus();
      else this.element.parentElement?.querySelector<HTMLElement>(".tools button")?.focus();
    });
  }
}

/** A stage with a title and a line below it. */
class Frame {
  readonly element = make("div", { class: "panel" });
  readonly #title = make("p", { class: "panel-head" });
  readonly #line = make("p", { class: "quiet panel-line" });

  constructor(readonly stage: Stage) {
    this.element.append(this.#title, stage.element, this.#line);
  }

  say(title: string, line: string): void {
    this.#title.hidden = title === "";
    this.#line.hidden = title === "";
    setText(this.#title, title);
    setText(this.#line, line);
  }
}

interface Said {
  readonly title: string;
  readonly agreement: string;
  /** Whether each map has a scale of its own. */
  readonly own: boolean;
}

class Beside {
  readonly element = make("div", { class: "panel", role: "group" });
  readonly stage: Stage;
  index = 0;
  onRemoved: () => void = () => {};
  readonly #title = make("button", { type: "button", class: "panel-title" });
  readonly #remove = make("button", { type: "button", class: "small remove" }, "×");
  readonly #line = make("p", { class: "quiet panel-line" });
  readonly #controller = new AbortController();
  #size: Scene["size"] = [1, 1];

  constructor(store: Store, signal: AbortSignal, hovered: (place: Place, size: Scene["size"]) => void) {
    const own = this.#controller.signal;
    signal.addEventListener("abort", () => this.#controller.abort(), { signal: own });
    this.stage = new Stage(store, own, (place) => hovered(place, this.#size));
    const click = (on: HTMLElement, action: () => void) =>
      on.addEventListener("click", action, { signal: own });
    click(this.#title, () => showPanel(store, this.index));
    click(this.#remove, () => {
      removePanel(store, this.index);
      this.onRemoved();
    });
    this.element.append(
      make("div", { class: "panel-head" }, this.#title, this.#remove),
      this.stage.element,
      this.#line,
    );
  }

  update(scene: Scene, panel: Panel, place: Place, { title, agreement, own }: Said): void {
    const { drawn, trouble, want } = panel;
    const part = sceneFor(scene, panel);
    const first = this.#size;
    this.#size = part.size;
    this.stage.update(part, carried(place, scene.size, part.size));
    if (first[0] === 1 && first[1] === 1) this.stage.fit();
    setText(this.#title, title);
    setAttribute(this.#title, "title", `Show ${title} first`);
    setAttribute(this.#remove, "aria-label", `Remove ${title}`);
    setAttribute(this.#remove, "title", `Remove ${title}`);
    setAttribute(this.element, "aria-label", title);
    const state = drawn
      ? ""
      : trouble
        ? `Could not be computed. ${shorten(trouble, 300)}`
        : waitingWords(scene, want);
    setText(this.#line, [state, levelWords(drawn, own), agreement].filter(Boolean).join(" · "));
    setAttribute(this.#line, "data-state", drawn ? "shown" : trouble ? "trouble" : "waiting");
    this.stage.describe(drawn ? `${title}. Shown: ${keptWords(drawn)}.` : `${title}. ${state}`);
  }

  drawCross(place: Place, size: Scene["size"]): void {
    this.stage.drawCross(carried(place, size, this.#size));
  }

  focus(): void {
    this.#remove.focus();
  }

  remove(): void {
    this.#controller.abort();
    this.element.remove();
  }
}

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
