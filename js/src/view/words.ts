import { count, number3, percent, shorten } from "../map/format";
import type { Header, Info } from "../map/header";
import type { Labels } from "../map/labels";
import { reductionFor } from "../map/reduce";
import { quantityOf } from "../map/spots";
import type { Drawn, Scene } from "./scene";

/** What a map is of, in words. */
export interface Names {
  /** The class, or the whole target where it is not one class. */
  readonly subject: string;
  /** The method and the kind of score. */
  readonly about: string;
  /** "logit of tiger cat". */
  readonly score: string;
}

export function namesOf(header: Header, labels: Labels): Names {
  const { index, other, label, otherLabel, text } = header.target;
  const method = asWord(header.method.label);
  if (index !== null && other !== null) {
    const [one, two] = [labels.distinct(index, label), labels.distinct(other, otherLabel)];
    const score = `${scoreName(header)} of ${one} and ${two}`;
    return { subject: `${one} rather than ${two}`, about: `${method} of the ${scoreName(header)}`, score };
  }
  if (index === null || !text.endsWith(label)) return { subject: text, about: method, score: text };
  const subject = labels.distinct(index, label);
  const score = text.slice(0, text.length - label.length) + subject;
  const kind = text.slice(0, text.length - label.length).replace(/ of $/, "");
  return { subject, about: kind ? `${method} of the ${kind}` : method, score };
}

/** What the number is whose map is shown: "logit", or "difference of logits" where two classes are compared. */
export function scoreName({ target: { kind, other } }: Header): string {
  return other === null ? kind : `difference of ${kind.replace(/y$/, "ie")}s`;
}

/** A name inside a sentence: "gradient", but "SmoothGrad" and "Grad-CAM". */
function asWord(name: string): string {
  const [first = ""] = name.split(" ");
  return /^\p{Lu}\p{Ll}*$/u.test(first) ? name.charAt(0).toLowerCase() + name.slice(1) : name;
}

/** Whether what is shown is a picture in red, green and blue, with black at 0. */
export function isPhotograph({ channels }: Info): boolean {
  return channels.join("") === "RGB";
}

export function pictureWord(info: Info): string {
  return isPhotograph(info) ? "photograph" : "picture";
}

/** "3 pixels", or cells where the map's grid is coarser than the picture. */
export function places(drawn: Drawn, number: number): string {
  return `${count(number)} ${placeWord(drawn)}${number === 1 ? "" : "s"}`;
}

export function placeWord({ coarse }: Drawn): string {
  return coarse ? "cell" : "pixel";
}

/** What a threshold leaves. */
export function areaWords(area: number): string {
  if (area <= 0) return "hides everything";
  return area >= 1 ? "all of the area" : `strongest ${percent(100 * area)} of the area`;
}

export function massWords(drawn: Drawn): string {
  const { field, kept } = drawn;
  if (field.finite === 0) return `no ${placeWord(drawn)} has a number`;
  if (kept.mass === null) return "every value is zero";
  return `holds ${percent(100 * kept.mass)} of the total`;
}

export function keptWords(drawn: Drawn): string {
  const { kept, field } = drawn;
  if (field.finite === 0 || kept.mass === null) return massWords(drawn);
  return kept.area > 0 && kept.area < 1
    ? `${areaWords(kept.area)}, ${massWords(drawn)}`
    : areaWords(kept.area);
}

/** What more of the input at this place would do to the score; where a map is no derivative, what this place does. */
export function signWords(drawn: Drawn, scene: Scene, channels: Channels, value: number): string {
  const score = shorten(drawn.names.score, 80);
  if (Number.isNaN(value)) {
    return drawn.coarse ? "This cell has no finite value" : "This pixel's value is not finite";
  }
  const { channel, sign } = decisive(drawn, scene, channels);
  if (Number.isNaN(sign)) return "Whether it raises or lowers the score is not kept here";
  if (!isOfScore(drawn.header)) return `${sign > 0 ? "Positive" : sign < 0 ? "Negative" : "Zero"} here`;
  const subject = subjectOf(drawn, scene.info, channel);
  if (sign === 0 && drawn.header.dtype === "int8" && drawn.header.scale > 0)
    return `${subject} changes the ${score} too little for this page to tell which way`;
  if (sign === 0) return `${subject} neither raises nor lowers the ${score}`;
  return `${subject} ${sign > 0 ? "raises" : "lowers"} the ${score}${value === 0 ? leftOutWords(scene.sign) : ""}`;
}

/** What is added of a pixel that the sign on display leaves out. */
export function leftOutWords(sign: Scene["sign"]): string {
  return leftOut(sign) ? `: left out of the ${sign} part` : "";
}

/**
 * The channel that a value is of, with its sign; no channel where it is of all together. The sign is NaN where a page keeps
 * magnitudes alone, and 0 where it keeps a sum too roughly to know.
 */
export function decisive(
  drawn: Drawn,
  { sign, reduction }: Pick<Scene, "sign" | "reduction">,
  channels: Channels,
): { channel: number | null; sign: number } {
  const { planes, error, shape, dtype } = drawn.header;
  const count = shape[0];
  if (planes.length > 0 && !planes.includes("signed")) return { channel: null, sign: Number.NaN };
  const how = reductionFor(reduction, count, sign);
  if (typeof how === "number" || how === "max") {
    const channel = typeof how === "number" ? how : strongestOf(count, channels);
    const value = channels(channel);
    const one = count > 1 && (value !== 0 || typeof how === "number");
    return { channel: one ? channel : null, sign: Math.sign(value) };
  }
  let sum = 0;
  for (let c = 0; c < count; c++) sum += channels(c);
  const rough = dtype === "int8" && count > 1 && Math.abs(sum) <= count * error;
  return { channel: null, sign: rough ? 0 : Math.sign(Math.fround(sum)) };
}

function strongestOf(count: number, channels: Channels): number {
  let strongest = 0;
  for (let c = 1; c < count; c++) {
    if (Math.abs(channels(c)) > Math.abs(channels(strongest))) strongest = c;
  }
  return strongest;
}

function leftOut(sign: Scene["sign"]): boolean {
  return sign === "positive" || sign === "negative";
}

const LIGHT: Record<string, string> = { R: "red light", G: "green light", B: "blue light" };

function subjectOf(drawn: Drawn, info: Info, channel: number | null): string {
  if (drawn.coarse) return "This cell";
  if (!isDerivative(drawn.header)) return "This pixel";
  const what = channel === null ? "" : channelName(info, drawn, channel);
  if (isLight(drawn.header)) return what ? `More ${LIGHT[what] ?? `of ${what}`} here` : "More light here";
  const all = drawn.header.shape[0] > 1 ? "all channels" : "the input";
  return `More of ${what || all} here`;
}

const OF_SCORE = /^(logit|probability|nat|score)( per (?<input>.+))?$/;

/** Whether a value's sign says what the score does: an activation's or a share of attention's does not. */
export function isOfScore({ unit }: Header): boolean {
  return unit === "" || OF_SCORE.test(unit);
}

/** Whether a value is a change of the score per change of the input, and not a part of the score. */
function isDerivative({ unit }: Header): boolean {
  return unit === "" || OF_SCORE.exec(unit)?.groups?.input !== undefined;
}

function isLight({ unit }: Header): boolean {
  return unit === "" || unit.endsWith(" per full-scale pixel");
}

/** The value of each channel at one place. */
export type Channels = (channel: number) => number;

export function channelsAt({ loaded, field }: Drawn, at: number): Channels {
  return (channel) => loaded.values[channel * field.values.length + at] ?? Number.NaN;
}

/** "R", or "channel 4" where channels have but numbers. */
export function channelName(info: Info, drawn: Drawn | null, channel: number): string {
  const own = !drawn || drawn.header.shape[0] === info.channels.length;
  const name = (own && info.channels[channel]) || String(channel + 1);
  return /^\d+$/.test(name) ? `channel ${name}` : name;
}

/** What the score is, for whoever does not know the word. */
export function scoreExplained(kind: string, { probabilityKind }: Info): string {
  const of = quantityOf(kind);
  if (of === "logit" && probabilityKind)
    return `Logit: the model's score of the class before the ${probabilityKind}.`;
  if (of === "probability")
    return `Probability: the model's score of the class after the ${probabilityKind}.`;
  return "";
}

export function unitExplained(header: Header): string {
  const { unit } = header;
  if (unit === "" || !isOfScore(header)) return "";
  const [score, per] = unit.split(" per ");
  if (!per) return `The part of the ${score} that is put down to this place.`;
  if (!isLight(header)) return `How fast the ${score} changes with one number of the input.`;
  return `How fast the ${score} changes with one channel of one pixel, in which 1 is the way from black to full brightness.`;
}

/** How far a value of a page that keeps 8 bits may be off; "" where it is as it was computed, to three digits. */
export function precisionWords(
  { header }: Drawn,
  { sign, reduction }: Pick<Scene, "sign" | "reduction">,
): string {
  const { dtype, planes, error, absoluteError, shape } = header;
  if (dtype !== "int8") return "";
  const together = reductionFor(reduction, shape[0], sign) === "sum" ? shape[0] : 1;
  return `± ${number3(planes.includes("absolute") && sign === "absolute" ? absoluteError : together * error)}`;
}
