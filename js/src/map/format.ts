const MINUS = "\u2212";
const NBSP = "\u00a0";
/** Letters that are written from right to left, and characters that turn what follows them. */
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\u202a-\u202e\u2066-\u2069]/u;

/** Three significant digits: what a half-precision number can vouch for. */
export function number3(value: number): string {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "infinite" : `${MINUS}infinite`;
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  const text =
    magnitude >= 0.001 && magnitude < 99950
      ? Number(magnitude.toPrecision(3)) >= 1000
        ? Number(magnitude.toPrecision(3)).toString()
        : magnitude.toPrecision(3)
      : magnitude.toExponential(2).replace("e+", "e").replace("e-", `e${MINUS}`);
  return value < 0 ? MINUS + text : text;
}

export function signed3(value: number): string {
  return value > 0 ? `+${number3(value)}` : number3(value);
}

/** A percentage that never claims 0 or 100 where it is neither; `column` keeps the decimal, so that a list lines up. */
export function percent(value: number, column = false): string {
  if (value <= 0) return `0${NBSP}%`;
  if (value >= 100) return `100${NBSP}%`;
  if (value < 0.01) return `<0.01${NBSP}%`;
  // Downwards: what is not the whole is not called the whole.
  if (value > 99.9) return `${(Math.floor(value * 100) / 100).toFixed(2)}${NBSP}%`;
  const text = value < 1 ? Number(value.toPrecision(2)).toString() : value.toFixed(1);
  return `${column ? text : Number(text)}${NBSP}%`;
}

/** A ratio as a percentage: an error can be larger than what it is an error of. */
export function ratio(value: number): string {
  return value > 1 ? `${number3(100 * value)}${NBSP}%` : percent(100 * value);
}

export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** What there is of several pieces of a text. */
export function joined(between: string, pieces: readonly (string | undefined)[]): string {
  return pieces.filter(Boolean).join(between);
}

/** The number, or the nearer end of what it may be. */
export function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

export function ordinal(value: number): string {
  if (!Number.isInteger(value)) return `${Number(value.toPrecision(4))}th`;
  const tens = value % 100;
  if (tens >= 10 && tens <= 20) return `${value}th`;
  return value + (["th", "st", "nd", "rd"][value % 10] ?? "th");
}

/** A label short enough to stand in a sentence, and with no say in the direction of the rest of it. */
export function shorten(text: string, most = 60): string {
  const characters = Array.from(text.slice(0, 4 * most));
  const short = characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
  return RIGHT_TO_LEFT.test(short) ? `\u2068${short.replace(/[\u2066-\u2069]/g, "")}\u2069` : short;
}

export function seconds(value: number): string {
  return value < 0.995 ? `${Number(value.toPrecision(2))}${NBSP}s` : `${Number(value.toFixed(1))}${NBSP}s`;
}
