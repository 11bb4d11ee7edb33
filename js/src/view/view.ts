import { clamp, joined, shorten } from "../map/format";
import type { Store } from "../state/store";
import { makeAnnouncer } from "./announcer";
import { makeBar } from "./bar";
import { makeBeside } from "./beside";
import { makeChoosing } from "./choosing";
import { makeClasses } from "./classes";
import { makeCompare } from "./comparison";
import { makeControls } from "./controls";
import { copyPicture } from "./copy";
import { crosshairButton } from "./crosshair";
import { crosshairKeys } from "./crosskeys";
import { listen, make, oncePerFrame, rootOf, setAttribute } from "./dom";
import { button } from "./fields";
import { bestOf, makeHeader } from "./header";
import { guardKeys } from "./keys";
import { makeLooks } from "./looks";
import { makeMethods } from "./methods";
import { titleOf } from "./notice";
import { makeNotices } from "./notices";
import { makeParameters } from "./parameters";
import { peek } from "./peek";
import { makePins, pinPlace } from "./pins";
import type { Place } from "./place";
import { makeQuestion } from "./question";
import { makeReadout } from "./readout";
import { type Drawn, type Scene, sceneOf, strongestPlace } from "./scene";
import { makeStages } from "./stages";
import { makeStrongest } from "./strongest";
import { css } from "./styles";
import { makeSubjects } from "./subjects";
import { followTheme } from "./theme";
import { makeToolbar } from "./toolbar";
import { fit as fitWhole, reveal, zoomBy } from "./viewport";
import { keptWords, pictureWord } from "./words";

const CAVEAT = "A map shows what the score is sensitive to, not what caused it.";

/** Builds one view in `el` and keeps it right until `signal` aborts. */
export function mount(el: HTMLElement, store: Store, signal: AbortSignal): void {
  const host = make("div.saliency-widget", { style: "display: block" });
  const root = host.attachShadow({ mode: "open" });
  const view = makeView(store, signal);
  root.append(make("style", css), view.element);
  guardKeys(host, root, signal);
  followTheme(view.element, signal);
  el.append(host);
  view.start();
  signal.addEventListener("abort", () => host.remove());
}

function makeView(store: Store, signal: AbortSignal) {
  const element = make("div.widget", { role: "group" });
  const header = makeHeader();
  const beside = makeBeside();
  let current: Scene | null = null;
  let shown: Drawn | null = null;
  /** Chosen with a click, keys or in numbers; until then the strongest pixel is looked at. */
  let held: Place | null = null;
  /** Where the pointer is, while it is over a picture. */
  let hover: Place | null = null;
  let said = "";
  let prepared: Float32Array | null = null;
  const announcer = makeAnnouncer(signal);
  const redraw = oncePerFrame(signal, frame);
  const read = oncePerFrame(signal, readFrame);
  const notices = makeNotices(store, () => crosshair.focus());
  const stage = makeStages(
    store,
    signal,
    (place) => {
      hover = place;
      read();
    },
    (from, to, done) => {
      choosing.draw(from, to, done);
      read();
    },
  );
  holdPlaces();
  const bar = makeBar(store);
  const go = (place: Place) => {
    moved(place);
    reveal(store, place);
    announcer.say(() => joined(", ", [readout.words(), choosing.words()]));
  };
  const readout = makeReadout(go, (place) => stage.fineAt(place));
  const [crosshair, help] = crosshairButton();
  const keep = () => {
    const words = current && pinPlace(store, whereIn(current));
    if (words) announcer.say(() => words);
  };
  const pin = button("Pin", keep, { title: "Keep this place in the list" });
  const size = () => current?.size ?? ([1, 1] as const);
  const place = () => (current ? whereIn(current) : { row: 0, column: 0 });
  const choosing = makeChoosing(store, place, (words) => announcer.say(() => words));
  const pins = makePins(store, go, pin);
  const strongest = makeStrongest(go);
  const controls = makeControls(store);
  const classes = makeClasses(store);
  const methods = makeMethods(store);
  const subjects = makeSubjects(store);
  const question = makeQuestion(store);
  const parameters = makeParameters(store);
  const looks = makeLooks(store);
  const compare = makeCompare(store);
  const toolbar = makeToolbar(store, async () => {
    const words = current ? await copyPicture(element, current) : "";
    announcer.say(() => words);
    return words;
  });
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
      loupe: () => stage.toggleLoupe(),
      help: () => toolbar.toggle(),
      focusClass: () => classes.focus(),
      focusVersus: () => question.focusVersus(),
      choose: () => choosing.choose(),
      corner: () => choosing.corner(),
      cancel: () => choosing.cancel(),
    },
    signal,
  );
  const picture = make("div.picture");
  const scale = make("div", bar.element, make("p.caveat", CAVEAT));
  const reading = make("div", readout.element, make("div.place-tools", crosshair, pin, help));
  reading.append(choosing.element, pins.element, beside.element, strongest.element);
  picture.append(notices.element, stage.element, make("div.under", scale, reading));
  const choices = make(
    "div.choices",
    subjects.element,
    classes.element,
    question.element,
    make("div.by", methods.element, parameters.element),
    controls.element,
    make("div.steps", looks.element, compare.element),
  );
  const columns = make("div.columns", picture, choices);
  const top = make("div.top", header.element, toolbar.element);
  element.append(top, toolbar.help, columns, announcer.element);

  function start(): void {
    const unsubscribe = store.audience.subscribe(redraw);
    const sizes = new ResizeObserver(() => stage.fit());
    sizes.observe(stage.element);
    const sights = new IntersectionObserver((entries) => {
      const visible = entries.at(-1)?.isIntersecting ?? false;
      store.audience.setVisible(element, visible);
      if (visible) again();
    });
    sights.observe(stage.element);
    window.addEventListener("pageshow", () => again(), { signal });
    signal.addEventListener("abort", () => {
      unsubscribe();
      sizes.disconnect();
      sights.disconnect();
      store.audience.setVisible(element, false);
    });
    frame();
  }

  /** Draws everything anew: canvases may have been emptied while they were out of sight. */
  function again(): void {
    stage.forget();
    bar.forget();
    redraw();
  }

  function frame(): void {
    const scene = sceneOf(store, shown);
    current = scene;
    shown = scene.drawn;
    const place = whereIn(scene);
    header.update(scene);
    notices.update(scene);
    choosing.update(scene);
    stage.update(scene, place);
    point(place);
    bar.update(scene);
    readout.update(scene, place);
    pins.update(scene);
    beside.update(scene, place);
    strongest.update(scene);
    controls.update(scene);
    classes.update(scene);
    methods.update(scene);
    subjects.update(scene);
    question.update(scene);
    parameters.update(scene);
    looks.update(scene);
    compare.update(scene);
    toolbar.update(scene);
    stage.describe(describe(scene));
    setAttribute(element, "aria-label", nameOf(scene));
    speak(scene);
    prepare(scene);
  }

  /** Sorts the other sign's map while nothing else is to do, so that it is there when it is asked for. */
  function prepare({ store, drawn, sign }: Scene): void {
    const loaded = drawn?.loaded;
    if (!loaded || loaded.values === prepared || store.partial) return;
    prepared = loaded.values;
    const later = globalThis.requestIdleCallback ?? ((action: () => void) => setTimeout(action, 200));
    later(() => {
      if (signal.aborted || shown?.loaded.values !== loaded.values) return;
      store.maps.field(loaded, sign === "signed" ? "absolute" : "signed");
    });
  }

  function readFrame(): void {
    const scene = current;
    if (!scene) return;
    const place = whereIn(scene);
    stage.drawCross(place);
    point(place);
    readout.update(scene, place);
    beside.update(scene, place);
  }

  /** What is pointed at, with the pointer or with keys, is shown. */
  function point(place: Place): void {
    stage.point(choosing.aim(place, hover !== null || rootOf(crosshair).activeElement === crosshair));
  }

  /** A click holds the place; a pointer that goes on leaves the one that was held before. */
  function holdPlaces(): void {
    const { element } = stage;
    const over = (event: Event) => (event.target as Element).closest(".stage") !== null;
    const leave = () => {
      if (!hover) return;
      hover = null;
      read();
    };
    listen(element, "click", (event) => {
      if (!over(event) || !hover) return;
      held = hover;
      // What was dragged, or is a panel's, is only read.
      const { shown } = stage;
      if (shown.contains(event.target as Node) && !shown.matches("[data-dragged], [data-outside]"))
        choosing.click(held);
    });
    listen(element, "pointerover", (event) => over(event) || leave());
    // A finger that is lifted leaves too, before the tap is a click. One that scrolls the page is called off.
    listen(element, "pointerleave", (event) => event.pointerType === "touch" || leave());
    listen(element, "pointercancel", leave);
  }

  function moved(place: Place): void {
    held = place;
    hover = null;
    read();
  }

  function whereIn({ size: [width, height], drawn, size }: Scene): Place {
    const strongest = drawn && strongestPlace(drawn, size);
    const place = hover ?? held ?? strongest ?? { row: height >> 1, column: width >> 1 };
    held ??= strongest;
    const inside = (at: number, all: number) => clamp(at, 0, all - 1);
    return { ...place, row: inside(place.row, height), column: inside(place.column, width) };
  }

  function speak({ notice, store }: Scene): void {
    const words = notice.stop || notice.old || store.gone ? notice.line : titleOf(notice);
    if (words === said) return;
    const first = said === "";
    said = words;
    if (!first) announcer.say(() => words);
  }

  return { element, start };
}

/** What tells this widget from others on the page. */
function nameOf({ info, labels }: Scene): string {
  const best = bestOf(info);
  const says = best && shorten(labels.distinct(best.index, best.label));
  return joined(", ", ["Saliency map", info.model, says]);
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
