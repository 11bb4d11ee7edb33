import { finish, SLICE } from "./steps";

export type Sign = "absolute" | "signed" | "positive" | "negative";
export type Reduction = "max" | "sum" | "mean" | "l2";

export const SIGNS: readonly Sign[] = ["absolute", "signed", "positive", "negative"];
export const REDUCTIONS: readonly Reduction[] = ["max", "sum", "mean", "l2"];

/**
 * What a map of so many channels is reduced by. The default also where the map has no such channel: beside a map of
 * pixels there may be one of cells, which has a single channel, and both are looked at with one choice.
 */
export function reductionFor(reduction: string, channels: number, sign: Sign): Reduction | number {
  const named = REDUCTIONS.find((name) => name === reduction);
  if (named) return named;
  const channel = /^\d{1,5}$/.test(reduction) ? Number(reduction) : channels;
  if (channel < channels) return channel;
  return sign === "absolute" ? "max" : "sum";
}

/** Pixels that are reduced together, so that sums in double precision need little memory. */
const BLOCK = 8192;
const totals = new Float64Array(BLOCK);
const squares = new Float64Array(BLOCK);

/**
 * One number a pixel. `absolute` reduces magnitudes, the others values; `positive` and `negative` are the signed map on
 * their side of zero, and 0 beyond. Sums are in double precision, channel after channel, and rounded once. `l2` is the
 * length with the sign of the sum. A pixel with a channel that is not finite is NaN, whichever channel is asked for.
 */
export function reduceChannels(
  values: Float32Array,
  channels: number,
  sign: Sign,
  reduction = "default",
): Float32Array {
  return finish(reduceSteps(values, channels, sign, reduction));
}

/** The same, a slice at a time. */
export function* reduceSteps(
  values: Float32Array,
  channels: number,
  sign: Sign,
  reduction = "default",
): Generator<void, Float32Array> {
  const how = reductionFor(reduction, channels, sign);
  const pixels = values.length / channels;
  const reduced = new Float32Array(pixels);
  for (let from = 0; from < pixels; from += BLOCK) {
    const out = reduced.subarray(from, Math.min(pixels, from + BLOCK));
    const channel = (c: number) => values.subarray(c * pixels + from, c * pixels + from + out.length);
    if (channels === 1) out.set(channel(0));
    else if (typeof how === "number") pick(channel, channels, how, out);
    else if (how !== "max") add(channel, channels, how, sign === "absolute", out);
    else if (sign === "absolute") largest(channel, channels, out);
    else strongest(channel, channels, out);
    settle(out, sign);
    if (from % SLICE === SLICE - BLOCK) yield;
  }
  return reduced;
}

/** The side of zero that is asked for, and NaN for all that is not finite. */
function settle(out: Float32Array, sign: Sign): void {
  // v - v is 0 for a finite v and NaN for any other; and 0 + -0 is 0, so that equal values are equal bits.
  const n = out.length;
  if (sign === "absolute") for (let i = 0; i < n; i++) out[i] = out[i]! - out[i]! + Math.abs(out[i]!);
  else if (sign === "signed") for (let i = 0; i < n; i++) out[i] = out[i]! - out[i]! + out[i]!;
  else if (sign === "positive") for (let i = 0; i < n; i++) out[i] = out[i]! - out[i]! + Math.max(0, out[i]!);
  else for (let i = 0; i < n; i++) out[i] = out[i]! - out[i]! + Math.min(0, out[i]!);
}

type Channel = (c: number) => Float32Array;

function largest(channel: Channel, channels: number, out: Float32Array): void {
  for (let c = 0; c < channels; c++) {
    const values = channel(c);
    // Math.max hands NaN on.
    for (let i = 0; i < out.length; i++) out[i] = Math.max(out[i]!, Math.abs(values[i]!));
  }
}

/** The value of the channel that is largest in magnitude; the first of equals. */
function strongest(channel: Channel, channels: number, out: Float32Array): void {
  out.set(channel(0));
  for (let c = 1; c < channels; c++) {
    const values = channel(c);
    for (let i = 0; i < out.length; i++) {
      const value = values[i]!;
      // What is not a number is never outdone.
      if (Math.abs(value) > Math.abs(out[i]!) || Number.isNaN(value)) out[i] = value;
    }
  }
}

function add(channel: Channel, channels: number, how: Reduction, absolute: boolean, out: Float32Array): void {
  const n = out.length;
  totals.fill(0);
  squares.fill(0);
  for (let c = 0; c < channels; c++) {
    const values = channel(c);
    if (absolute) for (let i = 0; i < n; i++) totals[i]! += Math.abs(values[i]!);
    else for (let i = 0; i < n; i++) totals[i]! += values[i]!;
    if (how === "l2") for (let i = 0; i < n; i++) squares[i]! += values[i]! * values[i]!;
  }
  if (how === "l2") for (let i = 0; i < n; i++) totals[i] = Math.sign(totals[i]!) * Math.sqrt(squares[i]!);
  else if (how === "mean") for (let i = 0; i < n; i++) totals[i]! /= channels;
  for (let i = 0; i < n; i++) out[i] = totals[i]!;
}

function pick(channel: Channel, channels: number, wanted: number, out: Float32Array): void {
  out.set(channel(wanted));
  for (let c = 0; c < channels; c++) {
    const values = channel(c);
    for (let i = 0; i < out.length; i++) {
      if (!Number.isFinite(values[i]!)) out[i] = Number.NaN;
    }
  }
}
