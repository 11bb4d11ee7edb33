import { count, joined, number3, percent, ratio, seconds, shorten } from "../map/format";
import type { Header } from "../map/header";
import type { Store } from "../state/store";
import type { Trouble } from "../state/traits";
import type { Drawn } from "./scene";
import { places, placeWord, scoreExplained, scoreName } from "./words";

/** What is said above the picture. */
export interface Notice {
  /** The class that the map on display is of. */
  readonly subject: string;
  /** What the map is. */
  readonly about: string;
  readonly line: string;
  /** More about the line, for whoever asks. */
  readonly hint: string;
  /** Whether what is shown is not what was asked for last. */
  readonly old: boolean;
  readonly stop: boolean;
  /** What can be done about the map on display: "Go on", "Compute again"; "" where nothing is to be done. */
  readonly again: string;
  readonly trouble: Trouble | null;
}

export const BUSY = "The kernel is busy or gone; your request waits.";
export const GONE =
  "The kernel is gone. Run the cell again to compute more; what is here can still be looked at.";
export const ZERO = "The score does not depend on any pixel here: every gradient is zero.";

/** A message may be a printed tensor: so much of it is a sentence, the traceback has the rest. */
const MOST = 300;

export function noticeOf(store: Store, drawn: Drawn | null): Notice {
  const subject = drawn ? shorten(drawn.names.subject, 120) : "No map yet";
  const about = drawn ? drawn.names.about : "";
  const notice = { subject, about, hint: "", old: false, stop: false, again: "", trouble: null };
  const still = drawn ? `still showing ${shorten(subject)}` : "";
  const computing = computingWords(store, drawn !== null);
  if (computing) {
    const { words, stop } = computing;
    const old = drawn !== null && !store.partial && !store.protocol.flight?.aside;
    const line = !old
      ? words
      : words.endsWith(".")
        ? `${words} Still showing ${shorten(subject)}.`
        : `${words} · ${still}`;
    return { ...notice, line, old, stop, trouble: troubleOf(store) };
  }
  if (store.gone) return { ...notice, line: GONE };
  const trouble = troubleOf(store);
  if (!drawn) return { ...notice, line: emptyLine(store), trouble };
  const again = store.canAsk ? againWord(drawn) : "";
  return { ...notice, line: detailsOf(drawn), hint: hintOf(store, drawn), again, trouble };
}

/** The whole title in one piece, for speech. */
export function titleOf({ subject, about }: Notice): string {
  return about ? `${subject} · ${about}` : subject;
}

/** What went wrong, what it was about, and what is on display instead. */
export function troubleWords(trouble: Trouble, drawn: Drawn | null): string {
  const of = trouble.of ? shorten(trouble.of) : "";
  const what = !drawn ? "The first map" : of ? `The map of ${of}` : "A map";
  const still = drawn ? `; this is still ${shorten(drawn.names.subject)}` : "";
  return `${what} could not be computed${still}. ${shorten(trouble.message, MOST)}`.trim();
}

function troubleOf(store: Store): Trouble | null {
  return store.trouble ?? store.statusTrouble;
}

function computingWords(store: Store, drawn: boolean): { words: string; stop: boolean } | null {
  const { protocol } = store;
  const { status } = store.traits;
  const flight = protocol.flight?.aside ? null : protocol.flight;
  const pending = protocol.pending?.aside ? null : protocol.pending;
  if (pending) return { words: `Computing ${shorten(pending.label)} …`, stop: true };
  if (flight?.phase === "waiting") return { words: BUSY, stop: true };
  if (flight && flight.phase !== "stopping") {
    const progress = progressWords(store);
    const words = `Computing ${shorten(flight.label)} …${progress && ` ${progress}`}`;
    return { words, stop: true };
  }
  if (store.gone || status.state !== "computing") return null;
  if (flight) return { words: "Stopping …", stop: false };
  const what = status.label ? `the ${shorten(status.label)}` : "a map";
  return { words: drawn ? `Computing ${what} …` : "The first map is being computed …", stop: store.canAsk };
}

function progressWords(store: Store): string {
  const { flight } = store.protocol;
  if (!flight || flight.aside || flight.total <= 1) return "";
  const parts = [`${count(flight.done)} of ${count(flight.total)}`];
  if (flight.seconds !== null) parts.push(seconds(flight.seconds));
  const figures = store.partial ? figuresOf(store.partial.header) : [];
  return [...parts, ...figures.map((one) => one.words)].join(", ");
}

function emptyLine(store: Store): string {
  if (troubleOf(store)) return "The first map could not be computed.";
  if (store.traits.headers.length > 0) return "The map did not arrive whole.";
  return store.canAsk ? "The first map is being computed …" : "This page holds no map.";
}

function detailsOf(drawn: Drawn): string {
  const { header, field } = drawn;
  if (field.finite === 0) return `No ${placeWord(drawn)} has a number: the map is not finite anywhere.`;
  if (field.zero) return header.method.name === "gradient" ? ZERO : "Every value of this map is zero.";
  const parts: string[] = [];
  if (header.outdated) parts.push("The weights have changed since");
  if (!header.final) parts.push(`stopped at ${count(header.done)} of ${count(header.total)}`);
  if (field.missing > 0) {
    const one = field.missing === 1;
    parts.push(
      `${places(drawn, field.missing)} ${one ? "has" : "have"} no finite value and ${one ? "stays" : "stay"} empty`,
    );
  }
  const score = scoreName(header);
  if (header.score !== null) parts.push(`${score} ${number3(header.score)}`);
  if (header.probability !== null && score !== "probability") {
    parts.push(`probability ${percent(100 * header.probability)}`);
  }
  parts.push(...figuresOf(header).map((one) => one.words));
  if (header.snapshot) parts.push("the weights changed meanwhile: of one moment of them");
  return parts.join(" · ");
}

function hintOf(store: Store, { header }: Drawn): string {
  const parts = [scoreExplained(header.target.kind, store.traits.info(header.model, header.image))];
  if (header.seconds !== null) parts.push(`Computed in ${seconds(header.seconds)}.`);
  parts.push(...figuresOf(header).map((one) => one.hint));
  return joined(" ", parts);
}

function againWord({ header }: Drawn): string {
  if (header.outdated) return "Compute again";
  return header.final ? "" : "Go on";
}

interface Figure {
  readonly words: string;
  readonly hint: string;
}

const FIGURES: readonly (readonly [string, (value: number) => string, string])[] = [
  [
    "agreement",
    (value) => `halves agree ${value.toFixed(2)}`,
    "Agreement: the rank correlation of the maps of two halves of the samples; 1 is the same, 0 is chance.",
  ],
  [
    "standard_error",
    (value) => `standard error ${ratio(value)}`,
    "Standard error: how far chance may move the map, as a share of it.",
  ],
  [
    "expected_error",
    (value) => `expected error ${ratio(value)}`,
    "Expected error: how far the integral may be off, as a share of the map.",
  ],
  [
    "completeness_gap",
    (value) => `completeness gap ${ratio(value)}`,
    "Completeness gap: by how much the sum of the map misses the change of the score.",
  ],
];

/** How sure a map is, by the figures its method gives; at most two, or the line says nothing any more. */
export function figuresOf({ quality }: Header): Figure[] {
  return FIGURES.flatMap(([name, words, hint]) => {
    const value = quality[name];
    return value === undefined ? [] : [{ words: words(value), hint }];
  }).slice(0, 2);
}
