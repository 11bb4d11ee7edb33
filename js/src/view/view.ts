import { shorten } from "../map/format";
import type { Store } from "../state/store";
import { Announcer } from "./announcer";
import { Bar } from "./bar";
import { Beside } from "./beside";
import { Classes } from "./classes";
import { Compare } from "./comparison";
import { Controls } from "./controls";
import { crosshairButton } from "./crosshair";
import { crosshairKeys } from "./crosskeys";
import { make, oncePerFrame, setAttribute } from "./dom";
import { Header } from "./header";
import { guardKeys } from "./keys";
import { Looks } from "./looks";
import { Methods } from "./methods";
import { titleOf } from "./notice";
import { Notices } from "./notices";
import { Parameters } from "./parameters";
import { peek } from "./peek";
import { Pins, pinPlace } from "./pins";
import type { Place } from "./place";
import { Question } from "./question";
import { Readout } from "./readout";
import { type Drawn, type Scene, sceneOf, strongestPlace } from "./scene";
import { Stages } from "./stages";
import { Strongest } from "./strongest";
import { css } from "./styles";
import { Subjects } from "./subjects";
import { followTheme } from "./theme";
import { Toolbar } from "./toolbar";
import { fit as fitWhole, reveal, zoomBy } from "./viewport";
import { keptWords, pictureWord } from "./words";

const CAVEAT = "A map shows what the score is sensitive to, not what caused it.";

/** Builds one view in `el` and keeps it right until `signal` aborts. */
export function mount(el: HTMLElement, store: Store, signal: AbortSignal): void {
  const host = make("div", { class: "saliency-widget", style: "display: block" });
  const root = host.attachShadow({ mode: "open" });
  const view = new View(store, signal);
  root.append(make("style", {}, css), view.element);
  guardKeys(host, root, signal);
  followTheme(view.element, signal);
  el.append(host);
  view.start();
  signal.addEventListener("abort", () => host.remove());
}

class View {
  readonly element = make("div", { class: "widget", role: "group" });
  readonly #announcer: Announcer;
  readonly #header = new Header();
  readonly #notices: Notices;
  readonly #stage: Stages;
  readonly #bar: Bar;
  readonly #readout: Readout;
  readonly #pins: Pins;
  readonly #beside = new Beside();
  readonly #strongest: Strongest;
  readonly #controls: Controls;
  readonly #classes: Classes;
  readonly #methods: Methods;
  readonly #subjects: Subjects;
  readonly #question: Question;
  readonly #parameters: Parameters;
  readonly #looks: Looks;
  readonly #compare: Compare;
  readonly #toolbar: Toolbar;
  readonly #redraw: () => void;
  readonly #read: () => void;
  #scene: Scene | null = null;
  #drawn: Drawn | null = null;
  /** Chosen with a click, keys or in numbers; until then the strongest pixel is looked at. */
  #place: Place | null = null;
  /** Where the pointer is, while it is over a picture. */
  #hover: Place | null = null;
  #said = "";
  #prepared: Float32Array | null = null;

  constructor(
    readonly store: Store,
    readonly signal: AbortSignal,
  ) {
    this.#announcer = new Announcer(signal);
    this.#redraw = oncePerFrame(signal, () => this.#frame());
    this.#read = oncePerFrame(signal, () => this.#readFrame());
    this.#notices = new Notices(store, signal, () => this.#classes.focus());
    this.#stage = new Stages(store, signal, (place) => {
      this.#hover = place;
      this.#read();
    });
    this.#holdPlaces();
    this.#bar = new Bar(store, signal);
    const go = (place: Place) => {
      this.#moved(place);
      reveal(store, place);
      this.#announcer.say(() => this.#readout.words());
    };
    this.#readout = new Readout(signal, go);
    this.#readout.fine = (place) => this.#stage.fineAt(place);
    const [crosshair, help] = crosshairButton();
    const pin = make(
      "button",
      { type: "button", class: "small", title: "Keep this place in the list" },
      "Pin",
    );
    const keep = () => {
      const words = this.#scene && pinPlace(store, this.#whereIn(this.#scene));
      if (words) this.#announcer.say(() => words);
    };
    pin.addEventListener("click", keep, { signal });
    const size = () => this.#scene?.size ?? ([1, 1] as const);
    const place = () => (this.#scene ? this.#whereIn(this.#scene) : { row: 0, column: 0 });
    this.#pins = new Pins(store, signal, go, pin);
    this.#strongest = new Strongest(signal, go);
    this.#controls = new Controls(store, signal);
    this.#classes = new Classes(store, signal);
    this.#methods = new Methods(store, signal);
    this.#subjects = new Subjects(store, signal);
    this.#question = new Question(store, signal);
    this.#parameters = new Parameters(store, signal);
    this.#looks = new Looks(store, signal);
    this.#compare = new Compare(store, signal);
    this.#toolbar = new Toolbar(store, signal);
    crosshairKeys(
      crosshair,
      store,
      {
        place,
        size,
        move: go,
        pin: keep,
        zoom: (factor) => zoomBy(store, factor, place()),
        fit: () => fitWhole(store),
        peek: (on) => peek(store, on),
        loupe: () => this.#stage.toggleLoupe(),
        help: () => this.#toolbar.toggle(),
        focusClass: () => this.#classes.focus(),
        focusVersus: () => this.#question.focusVersus(),
      },
      signal,
    );
    const picture = make("div", { class: "picture" });
    picture.append(this.#notices.element, this.#stage.element, this.#bar.element);
    picture.append(make("p", { class: "caveat" }, CAVEAT), this.#readout.element);
    picture.append(make("div", { class: "place-tools" }, crosshair, pin, help), this.#pins.element);
    picture.append(this.#beside.element, this.#strongest.element);
    const choices = make(
      "div",
      { class: "choices" },
      this.#subjects.element,
      this.#classes.element,
      this.#question.element,
      make("div", { class: "by" }, this.#methods.element, this.#parameters.element),
      this.#controls.element,
      make("div", { class: "steps" }, this.#looks.element, this.#compare.element),
    );
    const columns = make("div", { class: "columns" }, picture, choices);
    const top = make("div", { class: "top" }, this.#header.element, this.#toolbar.element);
    this.element.append(top, this.#toolbar.help, columns, this.#announcer.element);
  }

  start(): void {
    const { signal } = this;
    const unsubscribe = this.store.audience.subscribe(this.#redraw);
    const sizes = new ResizeObserver(() => this.#stage.fit());
    sizes.observe(this.#stage.element);
    const sights = new IntersectionObserver((entries) => {
      const visible = entries.at(-1)?.isIntersecting ?? false;
      this.store.audience.setVisible(this, visible);
      if (visible) this.#again();
    });
    sights.observe(this.#stage.element);
    window.addEventListener("pageshow", () => this.#again(), { signal });
    signal.addEventListener("abort", () => {
      unsubscribe();
      sizes.disconnect();
      sights.disconnect();
      this.store.audience.setVisible(this, false);
    });
    this.#frame();
  }

  /** Draws everything anew: canvases may have been emptied while they were out of sight. */
  #again(): void {
    this.#stage.forget();
    this.#bar.forget();
    this.#redraw();
  }

  #frame(): void {
    const scene = sceneOf(this.store, this.#drawn);
    this.#scene = scene;
    this.#drawn = scene.drawn;
    const place = this.#whereIn(scene);
    this.#header.update(scene);
    this.#notices.update(scene);
    this.#stage.update(scene, place);
    this.#bar.update(scene);
    this.#readout.update(scene, place);
    this.#pins.update(scene);
    this.#beside.update(scene, place);
    this.#strongest.update(scene);
    this.#controls.update(scene);
    this.#classes.update(scene);
    this.#methods.update(scene);
    this.#subjects.update(scene);
    this.#question.update(scene);
    this.#parameters.update(scene);
    this.#looks.update(scene);
    this.#compare.update(scene);
    this.#toolbar.update(scene);
    this.#stage.describe(describe(scene));
    setAttribute(this.element, "aria-label", nameOf(scene));
    this.#speak(scene);
    this.#prepare(scene);
  }

  /** Sorts the other sign's map while nothing else is to do, so that it is there when it is asked for. */
  #prepare({ store, drawn, sign }: Scene): void {
    const loaded = drawn?.loaded;
    if (!loaded || loaded.values === this.#prepared || store.partial) return;
    this.#prepared = loaded.values;
    const later = globalThis.requestIdleCallback ?? ((action: () => void) => setTimeout(action, 200));
    later(() => {
      if (this.signal.aborted || this.#drawn?.loaded.values !== loaded.values) return;
      store.maps.field(loaded, sign === "signed" ? "absolute" : "signed");
    });
  }

  #readFrame(): void {
    const scene = this.#scene;
    if (!scene) return;
    const place = this.#whereIn(scene);
    this.#stage.drawCross(place);
    this.#readout.update(scene, place);
    this.#beside.update(scene, place);
  }

  /** A click holds the place; a pointer that goes on leaves the one that was held before. */
  #holdPlaces(): void {
    const { element } = this.#stage;
    const over = (event: Event) => (event.target as Element).closest(".stage") !== null;
    const leave = () => {
      if (!this.#hover) return;
      this.#hover = null;
      this.#read();
    };
    element.addEventListener(
      "click",
      (event) => {
        if (over(event) && this.#hover) this.#place = this.#hover;
      },
      { signal: this.signal },
    );
    element.addEventListener("pointerover", (event) => over(event) || leave(), { signal: this.signal });
    element.addEventListener("pointerleave", leave, { signal: this.signal });
  }

  #moved(place: Place): void {
    this.#place = place;
    this.#hover = null;
    this.#read();
  }

  #whereIn({ size: [width, height], drawn, size }: Scene): Place {
    const strongest = drawn && strongestPlace(drawn, size);
    const place = this.#hover ?? this.#place ?? strongest ?? { row: height >> 1, column: width >> 1 };
    this.#place ??= strongest;
    const inside = (at: number, all: number) => Math.max(0, Math.min(all - 1, at));
    return { ...place, row: inside(place.row, height), column: inside(place.column, width) };
  }

  #speak({ notice, store }: Scene): void {
    const words = notice.stop || notice.old || store.gone ? notice.line : titleOf(notice);
    if (words === this.#said) return;
    const first = this.#said === "";
    this.#said = words;
    if (!first) this.#announcer.say(() => words);
  }
}

/** What tells this widget from others on the page. */
function nameOf({ info, labels }: Scene): string {
  const [best] = info.prediction;
  const says = best && shorten(labels.distinct(best.index, best.label));
  return ["Saliency map", info.model, says].filter(Boolean).join(", ");
}

/** The picture in words, for whoever does not see it. */
function describe({ notice, drawn, info, size }: Scene): string {
  const title = titleOf(notice);
  if (!drawn) return title;
  if (drawn.field.zero) return `${title}. ${notice.line}`;
  const place = strongestPlace(drawn, size);
  const where = place ? ` Strongest at row ${place.row}, column ${place.column}.` : "";
  return `${title}, over the ${pictureWord(info)}.${where} Shown: ${keptWords(drawn)}.`;
}
