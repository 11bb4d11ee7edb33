export type Sign = "absolute" | "signed" | "positive" | "negative";
/** "default" is the sign's own; a number in words is a channel. */
export type Reduction = string;

/**
 * One number a pixel: the largest magnitude of the channels, or their sum (in double precision, rounded once).
 * A pixel with a channel that is not finite is NaN.
 */
export function reduceChannels(values: Float32Array, channels: number, sign: Sign): Float32Array {
  const pixels = values.length / channels;
  const reduced = new Float32Array(pixels);
  if (sign === "absolute") {
    for (let i = 0; i < pixels; i++) {
      let largest = 0;
      for (let c = 0, j = i; c < channels; c++, j += pixels) {
        const magnitude = Math.abs(values[j]!);
        if (magnitude > largest || Number.isNaN(magnitude)) largest = magnitude;
      }
      reduced[i] = Number.isFinite(largest) ? largest : Number.NaN;
    }
  } else {
    for (let i = 0; i < pixels; i++) {
      let sum = 0;
      for (let c = 0, j = i; c < channels; c++, j += pixels) sum += values[j]!;
      // + 0 turns -0 into 0, so that equal values are equal bits.
      const rounded = Math.fround(sum) + 0;
      reduced[i] = Number.isFinite(rounded) ? rounded : Number.NaN;
    }
  }
  return reduced;
}
