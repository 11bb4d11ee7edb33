import type { Fields, Header, Info } from "../map/header";
import { isPlaced, kindAt, placeWords, quantityOf, samePlace } from "../map/spots";
import { makeAudience } from "./audience";
import { History } from "./history";
import { type Loaded, MapCache } from "./maps";
import { parseReply } from "./messages";
import type { Model } from "./model";
import { type Flight, type Outcome, type Partial, Protocol } from "./protocol";
import { makeRecent } from "./recent";
import { Tiles } from "./tiles";
import { CHOICES, FROM_PYTHON, LOOKS, Traits, type Trouble, VIEW } from "./traits";
import { type Change, keyOf, same, type Want, wantOf } from "./want";

/** A gesture is over when nothing came for so long, in milliseconds: a key that is held repeats after half a second. */
export const PAUSE = 600;

/** Everything the views of one model share: its traits, the maps it holds, what is asked for, what went wrong. */
export class Store {
  readonly traits: Traits;
  readonly protocol: Protocol;
  readonly maps = new MapCache();
  readonly audience = makeAudience(() => this.protocol.seen());
  /** The last request's error; null when something else was chosen since. */
  trouble: Trouble | null = null;
  /** Whether the kernel is known to be gone; a word from it proves the contrary. */
  gone = false;
  partial: Partial | null = null;
  readonly recent = makeRecent();
  readonly history = new History();
  readonly tiles: Tiles;

  #asked: Want | null = null;
  readonly #models = new Map<Model, (() => void)[]>();
  readonly #seen = new WeakSet<object>();
  #arrivesAs: string | null = null;
  /** What was stopped with something to keep, until that is here. */
  #keptAs: Want | null = null;
  readonly #parameters = new Map<string, Fields>();
  /** Why maps of further panels could not be computed. */
  readonly #hopeless = new Map<string, string>();
  #following = false;
  #dismissed = "";
  #writing = false;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.traits = new Traits(() => this.#model);
    const send = (content: unknown) => this.#model?.send(content) ?? false;
    this.tiles = new Tiles(send, () => this.#changed());
    this.protocol = new Protocol({
      send,
      later: (milliseconds, action) => {
        const timer = setTimeout(action, milliseconds);
        return () => clearTimeout(timer);
      },
      drawn: (action) => this.audience.whenDrawn(action),
      changed: () => this.#changed(),
      partial: (partial) => {
        if (!this.protocol.flight?.aside) this.partial = partial;
      },
      ended: (flight, outcome) => this.#ended(flight, outcome),
    });
  }

  /** Hears a host's model until the returned function is called: each view of one model may have its own. */
  attach(model: Model): () => void {
    const offs = FROM_PYTHON.map((name) => model.on(`change:${name}`, () => this.#fromPython(name)));
    for (const name of VIEW) offs.push(model.on(`change:${name}`, () => this.#viewChanged(name)));
    offs.push(model.on("msg:custom", (content, buffers) => this.#message(content, buffers)));
    offs.push(
      model.on("comm_live_update", () => {
        this.gone = true;
        this.tiles.reset();
        this.protocol.gone();
      }),
    );
    this.#models.set(model, offs);
    if (this.#models.size === 1) this.history.amend(this.traits.view);
    this.#followPython();
    return () => {
      for (const off of this.#models.get(model) ?? []) off();
      this.#models.delete(model);
      if (this.#models.size === 0) this.protocol.dispose();
    };
  }

  get attached(): boolean {
    return this.#models.size > 0;
  }

  /** Whether `model` stands for the model of this store: hosts hand out a new proxy to each view, with the same values. */
  isOf(model: Model): boolean {
    const info = model.get("_info");
    return typeof info === "object" && info !== null && info === this.#model?.get("_info");
  }

  /** An error that Python tells of and that nothing was chosen after. */
  get statusTrouble(): Trouble | null {
    const { state, trouble } = this.traits.status;
    return state === "error" && trouble.message + trouble.traceback !== this.#dismissed ? trouble : null;
  }

  get canAsk(): boolean {
    return !this.gone && (this.#model?.canSend ?? false);
  }

  load(header: Header): Loaded | null {
    return header.slot === null ? null : this.maps.load(header, this.traits.bytes(header.slot));
  }

  /** The header of the map on display, or of the one that stands for it. */
  get shown(): Header | null {
    return this.traits.header(this.traits.shown) ?? this.traits.headers[0] ?? null;
  }

  /** The map last asked for, here or by Python, until it is shown. */
  get wanted(): Want | null {
    const { flight } = this.protocol;
    return this.#asked ?? (flight?.followed && flight.phase !== "stopping" ? flight.want : null);
  }

  /** The map that is looked at, or was asked for last. */
  get want(): Want {
    const { shown } = this;
    return this.wanted ?? (shown ? wantOf(shown) : this.traits.chosen);
  }

  /** The model and the picture that are looked at. */
  get info(): Info {
    const { model, image } = this.want;
    return this.traits.info(model, image);
  }

  /** What is looked at, but for the change; without a kernel, of another picture or model what there is of it. */
  like(change: Change): Want {
    const now = this.want;
    const method = change.method ?? now.method;
    const model = change.model ?? now.model;
    const image = change.image ?? now.image;
    const want = {
      model,
      image,
      method,
      parameters: change.parameters ?? (method === now.method ? now.parameters : this.parametersOf(method)),
      target: this.#targetLike(change, now, this.traits.info(model, image)),
    };
    if (this.canAsk || change.image === change.model || this.held(want)) return want;
    // Another picture's likely classes are others. What nobody can ask for any more would leave its maps out of reach.
    const there = this.traits.headers.filter((one) => one.model === want.model && one.image === want.image);
    const near = there.find((one) => one.method.name === method) ?? there[0];
    return near ? wantOf(near) : want;
  }

  #targetLike(
    change: Change,
    { model, image, target: now }: Want,
    { modelIndex, imageIndex, spots, probabilityKind }: Info,
  ): Want["target"] {
    const moved = modelIndex !== model || imageIndex !== image;
    const placed = isPlaced(now.kind);
    // Another picture has other boxes and other segments, and is asked for its own.
    const anew = change.place !== undefined || (moved ? spots !== null || placed : false);
    const place = change.place ?? (moved ? [] : now.place);
    const index = change.index ?? (change.index === undefined && !anew ? now.index : null);
    const other = anew ? null : change.other === undefined ? now.other : change.other;
    const own = anew || placed || change.index !== undefined;
    // Not every model of places has probabilities.
    const of = placed && probabilityKind ? quantityOf(now.kind) : "logit";
    const kind = spots && own ? kindAt(spots, place, of) : placed && moved ? "logit" : now.kind;
    // A class is not compared with itself.
    return { kind: change.kind ?? kind, index, other: other === index ? null : other, place };
  }

  /** The parameters that a method was last used with, or its own. */
  parametersOf(method: string): Fields {
    const last = this.#parameters.get(method);
    if (last) return last;
    const held = this.traits.headers.find((one) => one.method.name === method);
    if (held) return held.method.parameters;
    const known = this.traits.catalogue.methods.find((one) => one.name === method);
    return Object.fromEntries((known?.parameters ?? []).map((one) => [one.name, one.default]));
  }

  /** The map that is wanted, if it is here, whole or not. */
  held(want: Want): Header | null {
    const key = keyOf(want);
    // Where nobody can be asked which class is predicted at a place, that whose map is here is meant.
    const any = want.target.index === null && isPlaced(want.target.kind) && !this.canAsk;
    const found = this.traits.headers.find((header) => {
      const one = wantOf(header);
      return keyOf(any ? { ...one, target: { ...one.target, index: null } } : one) === key;
    });
    return found && this.traits.came(found) ? found : null;
  }

  /** The same with a change of what is looked at. */
  heldAs(change: Change): Header | null {
    return this.held(this.like(change));
  }

  /** Whether such a map can be shown: it is here, or can be asked for. */
  can(change: Change): boolean {
    return this.canAsk || this.heldAs(change) !== null;
  }

  /** Shows what is looked at with a change: at once if its map is here, else when Python has sent it. */
  choose(change: Change): void {
    this.ask(this.like(change));
  }

  /** Goes on with the map on display where it was stopped, or makes it anew where the weights have changed. */
  goOn(): void {
    this.ask(this.want, true);
  }

  ask(want: Want, again = false): void {
    const held = this.held(want);
    if (!held && !this.canAsk) return;
    this.#forgive();
    this.#arrivesAs = null;
    this.#parameters.set(want.method, want.parameters);
    if (want.target.index !== null) this.recent.note(want.target.index);
    const enough = held && !again && !(held.outdated && this.canAsk);
    if (held) this.#show(held.key);
    if (enough || !this.canAsk) {
      this.#asked = null;
      this.partial = null;
      if (this.protocol.pending || (this.protocol.flight && !this.protocol.flight.aside))
        this.protocol.stop();
    } else {
      this.#asked = want;
      this.protocol.request({ want, label: this.wordsOf(want) });
    }
    this.#changed();
  }

  /** A map in words, told from the one on display. */
  wordsOf({ model, image, method, target }: Want): string {
    const now = this.shown && wantOf(this.shown);
    const { catalogue } = this.traits;
    const labels = this.traits.labels(this.traits.info(model, image));
    const { index, place, kind } = target;
    const where = kind.startsWith("box ") ? "" : placeWords(place);
    const parts = [index === null ? where || kind : labels.name(index)];
    if (index !== null && where && !samePlace(place, now?.target.place ?? [])) parts.push(`at ${where}`);
    if (target.other !== null) parts.push(`rather than ${labels.name(target.other)}`);
    if (method !== now?.method) {
      parts.push(`by ${catalogue.methods.find((one) => one.name === method)?.label ?? method}`);
    }
    if (image !== now?.image && catalogue.images.length > 1) {
      parts.push(`in ${catalogue.images[image] || `image ${image + 1}`}`);
    }
    if (model !== now?.model && catalogue.models.length > 1) {
      parts.push(`of ${catalogue.models[model] || `model ${model + 1}`}`);
    }
    return parts.join(" ");
  }

  /** Stops whatever is computed for somebody who waits, also what this page did not ask for itself; what there is stays. */
  stop(): void {
    const partial = this.partial !== null;
    this.#keptAs = partial ? this.want : null;
    this.#asked = null;
    if (this.protocol.flight || this.protocol.pending) this.protocol.stop(true);
    else this.#model?.send({ v: 1, kind: "cancel", req: "*", keep: true });
    if (!partial) this.partial = null;
    this.#changed();
  }

  /** Why a further panel has no map; null where it has one, or will have. */
  troubleWith(want: Want): string | null {
    return this.#hopeless.get(keyOf(want)) ?? null;
  }

  /** Sets a choice of the view; `save` once a gesture. */
  set(name: string, value: unknown): void {
    this.#writing = true;
    this.traits.set(name, value);
    this.#writing = false;
    if (name === "panels") this.#fill();
    this.#changed();
  }

  save(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#model?.save();
    this.history.note(this.traits.view);
    this.#changed();
  }

  /** Saves when a gesture of many steps has paused, such as a turn of the wheel or a held key. */
  saveSoon(): void {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.save(), PAUSE);
  }

  /** Saves at once what would be saved soon. */
  settle(): void {
    if (this.#soon) this.save();
  }

  undo(): void {
    this.settle();
    this.#restore(this.history.undo());
  }

  redo(): void {
    this.settle();
    this.#restore(this.history.redo());
  }

  #restore(view: Fields | null): void {
    if (!view) return;
    this.#writing = true;
    for (const name of LOOKS) this.traits.set(name, view[name]);
    for (const name of CHOICES) this.traits.set(name, view[name]);
    this.#writing = false;
    const want = this.traits.chosen;
    const held = this.held(want);
    if (held) this.traits.set("shown", held.key);
    this.#model?.save();
    if (!held && this.canAsk) this.ask(want);
    this.#fill();
    this.#changed();
  }

  /** Hears of the run that Python began, where there is one and nothing was asked for here. */
  #followPython(): void {
    const { run } = this.traits.status;
    this.protocol.follow(this.canAsk ? run : null, run ? this.wordsOf(run.want) : "");
  }

  /** Asks for the next map that a further panel waits for, when nothing else is under way. */
  #fill(): void {
    if (!this.canAsk || this.protocol.flight || this.protocol.pending) return;
    const next = this.traits.panels.find((want) => !this.held(want) && !this.#hopeless.has(keyOf(want)));
    if (next) this.protocol.request({ want: next, label: this.wordsOf(next), aside: true });
  }

  get #model(): Model | undefined {
    let last: Model | undefined;
    for (const model of this.#models.keys()) last = model;
    return last;
  }

  #fromPython(name: string): void {
    this.gone = false;
    this.traits.heard(name);
    const { state } = this.traits.status;
    if (name === "_status" && state !== "error") {
      this.#dismissed = "";
      if (state === "computing") this.trouble = null;
    }
    if (name === "_status") this.#followPython();
    if (name === "_maps" || name.startsWith("_slot")) this.#arrived();
    this.#changed();
  }

  #viewChanged(name: string): void {
    if (!this.#writing) {
      this.gone = false;
      this.traits.heard(name);
      if (name === "shown") {
        // Python, or another view of the notebook, chose later than the request in flight.
        this.#asked = null;
        this.#arrivesAs = null;
        if (!this.#keptAs) this.partial = null;
        this.#forgive();
        const index = this.traits.header(this.traits.shown)?.target.index ?? null;
        if (index !== null) this.recent.note(index);
      }
      if (name === "panels") this.#fill();
      this.#follow();
    }
    this.#changed();
  }

  /** Shows what the traits of the choices name when they are linked to another widget's, where no kernel does it. */
  #follow(): void {
    if (this.#following) return;
    this.#following = true;
    // Not before all that came together has been set: in between, the choices name what nobody chose.
    setTimeout(() => {
      this.#following = false;
      if (this.wanted || this.protocol.flight) return;
      this.history.amend(this.traits.view);
      const { shown } = this;
      const want = this.traits.chosen;
      if (!shown || this.traits.value("method") === undefined || same(wantOf(shown), want)) return;
      const held = this.held(want);
      if (held) this.#show(held.key);
    });
  }

  #message(content: unknown, buffers: unknown): void {
    // Each view of a model may be told of the same message.
    if (typeof content === "object" && content !== null) {
      if (this.#seen.has(content)) return;
      this.#seen.add(content);
    }
    const revived = this.gone;
    this.gone = false;
    const reply = parseReply(content, buffers);
    if (this.tiles.receive(content, reply?.kind === "tile" ? reply : null)) return;
    if (!this.protocol.receive(content, buffers) && revived) this.#changed();
  }

  #ended(flight: Flight, outcome: Outcome): void {
    const still = this.#asked !== null && same(this.#asked, flight.want);
    const kept = outcome.kind === "cancelled" && outcome.key !== "";
    if (!kept) this.partial = null;
    switch (outcome.kind) {
      case "done":
        this.#hopeless.delete(keyOf(flight.want));
        if (still) {
          this.#arrivesAs = outcome.key;
          this.#arrived();
        }
        break;
      case "gone":
        this.gone = true;
        this.#asked = null;
        break;
      case "error":
        if (flight.aside && !still) this.#hopeless.set(keyOf(flight.want), outcome.message);
        if (!still) break;
        this.#asked = null;
        this.trouble = { of: flight.label, message: outcome.message, traceback: outcome.traceback };
        break;
      case "cancelled":
        // What waits beside gave way to somebody who asks for it here.
        if (still && !flight.aside) this.#asked = null;
        if (kept && this.#keptAs && same(this.#keptAs, flight.want)) {
          this.#arrivesAs = outcome.key;
          this.#arrived();
        } else this.partial = null;
        this.#keptAs = null;
    }
    // After what is told of the end: whatever is asked for then comes first.
    setTimeout(() => {
      this.#followPython();
      this.#fill();
    });
  }

  /** Shows what was asked for once it is really here, in whichever order reply and traits came. */
  #arrived(): void {
    const key = this.#arrivesAs;
    const header = key === null ? null : this.traits.header(key);
    if (key === null || !header || !this.load(header)) return;
    this.#arrivesAs = null;
    this.#asked = null;
    this.partial = null;
    this.#show(key);
  }

  #show(key: string): void {
    if (this.traits.shown === key) return;
    const header = this.traits.header(key);
    this.#writing = true;
    this.traits.set("shown", key);
    if (header) for (const [name, value] of choicesOf(header)) this.traits.set(name, value);
    this.#writing = false;
    this.save();
  }

  /** An error belongs to what was asked for then, not to what is looked at now. */
  #forgive(): void {
    this.trouble = null;
    const { trouble } = this.traits.status;
    this.#dismissed = trouble.message + trouble.traceback;
  }

  #changed(): void {
    this.audience.tell();
  }
}

/** The traits that tell in plain words what is looked at, for whoever links to them. */
function choicesOf({ model, image, method, target }: Header): [string, unknown][] {
  return [
    ["model_index", model],
    ["image_index", image],
    ["class_index", target.index ?? -1],
    ["versus", target.other ?? -1],
    ["score", target.kind],
    ["place", target.place],
    ["method", method.name],
    ["parameters", method.parameters],
  ];
}
