const MINUS = "\u2212";

/** A value in two significant digits and few characters; with its sign where it has one to show. */
export function short(value: number, signed: boolean): string {
  if (Number.isNaN(value)) return "none";
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  const sign = value < 0 ? MINUS : signed ? "+" : "";
  if (!Number.isFinite(magnitude)) return `${sign}∞`;
  const rounded = Number(magnitude.toPrecision(2));
  if (rounded >= 0.01 && rounded < 1000) return sign + String(rounded);
  return sign + rounded.toExponential().replace("e+", "e").replace("e-", `e${MINUS}`);
}
