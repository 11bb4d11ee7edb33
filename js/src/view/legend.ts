import { DEFAULT_TABLE, tableNames } from "../map/colour";
import { count, joined, number3, ordinal, percent } from "../map/format";
import { type Reduction, reductionFor } from "../map/reduce";
import { clippedPercent } from "./axis";
import { shapeOf } from "./place";
import type { Drawn, Scene } from "./scene";
import { channelName } from "./words";

const REDUCED: Record<Reduction, string> = {
  max: "strongest value of",
  sum: "sum of",
  mean: "mean of",
  l2: "Euclidean length of",
};
const REDUCED_MAGNITUDE: Record<Reduction, string> = {
  max: "largest |value| of",
  sum: "sum of |value| of",
  mean: "mean of |value| of",
  l2: "Euclidean length of",
};

/** Everything that is between the values of the map and the colours, in words. */
export function scaleWords(scene: Scene, drawn: Drawn): string {
  const { opacity, size, look } = scene;
  const { header, field, level } = drawn;
  const unit = header.unit || "no unit given";
  if (field.finite === 0) return `${unit}; no finite value`;
  if (level === 0) return `${unit}; every value is zero`;
  const parts = [unit, reducedWords(scene, drawn), ...clipWords(scene, drawn)];
  if (header.reducedFrom) parts.push(`reduced from ${header.reducedFrom[1]} × ${header.reducedFrom[0]}`);
  if (look === "image") parts.push("the map is not shown");
  else if (opacity < 1) parts.push(`shown at ${percent(100 * opacity)} opacity`);
  parts.push(tableWords(drawn));
  if (shapeOf(size).drawnOut) parts.push(`drawn out from ${size[0]} × ${size[1]}`);
  return joined(" · ", parts);
}

/** How one number was made of the channels. */
export function reducedWords({ sign, reduction, info }: Scene, drawn: Drawn): string {
  const { planes, shape } = drawn.header;
  // Where a page keeps them put together, of those that the picture has.
  const channels = planes.length > 0 ? info.channels.length : shape[0];
  const half = { positive: "where above zero", negative: "where below zero" }[sign as string] ?? "";
  if (channels === 1) return half;
  const how = reductionFor(reduction, channels, sign);
  const all = `${count(channels)} channels`;
  const parts = [];
  if (typeof how === "number") {
    parts.push(`${sign === "absolute" ? "|value|" : "value"} of ${channelName(info, drawn, how)} alone`);
  } else if (sign === "absolute") parts.push(`${REDUCED_MAGNITUDE[how]} ${all}`);
  else {
    parts.push(`${REDUCED[how]} ${all}`);
    if (how === "l2") parts.push("with the sign of their sum");
  }
  return joined(", ", [...parts, half]);
}

/** Where the colours end, and whose end it is. */
function clipWords({ clip, store, panels }: Scene, { field, level }: Drawn): string[] {
  const beyond = clippedPercent(field, level);
  const clipped = beyond > 0 ? `${percent(beyond)} clipped` : "nothing clipped";
  const { scale } = store.traits;
  if (scale === "locked" && store.traits.level > 0) {
    return [`scale: locked at ${number3(level)}`, clipped];
  }
  const sharing = 1 + panels.filter((panel) => panel.drawn).length;
  return [
    `clipped at the ${percentile(clip)} percentile of |value| (${clipped})`,
    scale !== "own" && sharing > 1 ? `scale: shared by ${sharing} panels` : "scale: this map",
  ];
}

/** "99.2th"; a percentile that is not the last is not rounded to it. */
export function percentile(clip: number): string {
  if (clip <= 99.9 || clip === 100) return ordinal(clip);
  const beyond = Number((100 - clip).toPrecision(1));
  return `${100 - beyond}`.length > 9
    ? `${(100 - beyond).toFixed(7).replace(/0+$/, "")}th`
    : `${100 - beyond}th`;
}

function tableWords({ table, field }: Drawn): string {
  // Equal steps of its colours do not look equal: bands appear that the map does not have.
  const even = tableNames(field.sign).find(({ name }) => name === table.name)?.uniform !== false;
  if (!even) return `${table.name}, not uniform`;
  return table.name === DEFAULT_TABLE[field.sign] ? "" : table.name;
}
