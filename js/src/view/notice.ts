import { count, number3, percent, seconds, shorten } from "../map/format";
import type { Store, Trouble } from "../state/store";
import type { Drawn } from "./scene";

/** What is said above the picture. */
export interface Notice {
  readonly title: string;
  readonly line: string;
  /** Whether what is shown is not what was asked for last. */
  readonly old: boolean;
  readonly stop: boolean;
  readonly trouble: Trouble | null;
}

export const BUSY = "The kernel is busy or gone; your request waits.";
export const GONE = "The kernel is gone. Looking still works.";
export const ZERO = "The score does not depend on any pixel here: every gradient is zero.";

export function noticeOf(store: Store, drawn: Drawn | null): Notice {
  const { protocol, status } = store;
  const trouble = store.trouble ?? store.statusTrouble;
  const flight = protocol.flight && protocol.flight.phase !== "stopping" ? protocol.flight : null;
  const asked = protocol.pending ?? flight;
  const title = titleOf(store, drawn);
  const common = { title, trouble, old: false, stop: false };
  if (asked) {
    const waits = flight?.phase === "waiting" && !protocol.pending;
    const line = waits ? BUSY : `Computing ${shorten(asked.label)} …${progress(store)}`;
    return { ...common, line, old: drawn !== null && !store.partial, stop: true };
  }
  if (store.gone) return { ...common, line: GONE };
  if (status.state === "computing") {
    const what = status.label ? shorten(status.label) : "a map";
    const line = drawn ? `Computing ${what} …` : "The first map is being computed …";
    return { ...common, line, old: drawn !== null };
  }
  return { ...common, line: drawn ? detailsOf(drawn) : emptyLine(store) };
}

function titleOf(store: Store, drawn: Drawn | null): string {
  if (!drawn) return "No map yet";
  const { method, target } = drawn.header;
  const of = `${method.label} map of the ${shorten(target.text)}`;
  return store.partial ? `${of}, ${progressWords(store)}` : of;
}

function progress(store: Store): string {
  const words = store.partial ? "" : progressWords(store);
  return words && ` ${words}`;
}

function progressWords(store: Store): string {
  const { flight } = store.protocol;
  return flight && flight.total > 1 ? `${count(flight.done)} of ${count(flight.total)}` : "";
}

function emptyLine(store: Store): string {
  if (store.trouble || store.statusTrouble) return "The first map could not be computed.";
  if (store.headers.length > 0) return "The map did not arrive whole.";
  return store.canAsk ? "The first map is being computed …" : "This page holds no map.";
}

function detailsOf(drawn: Drawn): string {
  const { header, field } = drawn;
  if (field.finite === 0) return "No pixel has a number: the gradient is not finite anywhere.";
  if (field.zero) return ZERO;
  const parts: string[] = [];
  if (field.missing > 0) {
    const one = field.missing === 1;
    parts.push(
      `${count(field.missing)} ${one ? "pixel has" : "pixels have"} no finite value and ${one ? "stays" : "stay"} empty`,
    );
  }
  if (header.score !== null) parts.push(`${header.target.kind} ${number3(header.score)}`);
  if (header.probability !== null && header.target.kind !== "probability") {
    parts.push(`probability ${percent(100 * header.probability)}`);
  }
  if (header.seconds !== null) parts.push(`computed in ${seconds(header.seconds)}`);
  return parts.join(" · ");
}
