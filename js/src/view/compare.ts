import type { Agreement } from "../map/agree";
import { count, percent, shorten } from "../map/format";
import { isOf, placeWords, quantityOf } from "../map/spots";
import type { Store } from "../state/store";
import { stable, type Want } from "../state/want";

export function removePanel(store: Store, index: number): void {
  store.set(
    "panels",
    store.traits.panels.filter((_, i) => i !== index),
  );
  store.save();
}

/** Makes a panel's map the one that is shown; the one that was takes its place. */
export function showPanel(store: Store, index: number): void {
  const { panels, shown } = store.traits;
  const want = panels[index];
  if (!want || !(store.held(want) || store.canAsk)) return;
  const before = store.want;
  store.set(
    "panels",
    panels.map((one, i) => (i === index ? before : one)),
  );
  store.ask(want);
  // What is shown at once is saved with it.
  if (store.traits.shown === shown) store.save();
}

/** A short name for each map: only that in which they differ. */
export function titlesOf(store: Store, wants: readonly Want[]): string[] {
  const { catalogue } = store.traits;
  const labels = (want: Want) => store.traits.labels(store.traits.info(want.model, want.image));
  const classOf = (want: Want) => {
    const { index, other } = want.target;
    if (index === null) return want.target.kind;
    const name = shorten(labels(want).name(index), 40);
    return other === null ? name : `${name} rather than ${shorten(labels(want).name(other), 40)}`;
  };
  const placeOf = ({ model, image, target }: Want) => {
    const at = (store.traits.info(model, image).spots?.boxes ?? []).findIndex((box) => isOf(box, target));
    return at < 0 ? placeWords(target.place) : `box ${at + 1}`;
  };
  const known = (name: string) => catalogue.methods.find((one) => one.name === name);
  const methodOf = ({ method }: Want) => known(method)?.label ?? method;
  const aspects: ((want: Want) => string)[] = [
    classOf,
    placeOf,
    // The place says what the score is of.
    ({ target }) => quantityOf(target.kind),
    methodOf,
    (want) => parametersOf(want, wants, known(want.method)?.parameters ?? []),
    ({ image }) => catalogue.images[image] || `image ${count(image + 1)}`,
    ({ model }) => catalogue.models[model] || `model ${count(model + 1)}`,
  ];
  const told = aspects.map((aspect) => wants.map(aspect));
  const differing = told.filter((texts) => new Set(texts).size > 1);
  return wants.map((want, i) => {
    const parts = differing.map((texts) => texts[i]).filter(Boolean);
    return parts.length > 0 ? parts.join(" · ") : `${classOf(want)} · ${methodOf(want)}`;
  });
}

/** The parameters that are others in another map by the same method. */
function parametersOf(
  want: Want,
  wants: readonly Want[],
  controls: readonly { readonly name: string; readonly label: string }[],
): string {
  const others = wants.filter((one) => one.method === want.method);
  const names = new Set(others.flatMap((one) => Object.keys(one.parameters)));
  return [...names]
    .filter((name) => new Set(others.map((one) => stable(one.parameters[name]))).size > 1)
    .map((name) => {
      const label = controls.find((one) => one.name === name)?.label ?? name;
      const value = want.parameters[name];
      return `${label.toLowerCase()} ${value === null || value === undefined ? "chosen for the model" : shorten(typeof value === "string" ? value : stable(value), 30)}`;
    })
    .join(", ");
}

export function agreementWords({ spearman, overlap }: Agreement, other: string): string {
  const parts: string[] = [];
  if (spearman !== null) parts.push(`agrees ${twoDigits(spearman)} with ${other}`);
  if (overlap !== null) parts.push(`${percent(100 * overlap)} of the strongest 5 % shared`);
  return parts.join("; ");
}

/** All pairs in one sentence; "" where there are not two maps of one picture. */
export function overallWords(pairs: readonly Agreement[]): string {
  const mean = (of: (one: Agreement) => number | null) => {
    const known = pairs.map(of).filter((one): one is number => one !== null);
    return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
  };
  const correlation = mean((one) => one.spearman);
  const shared = mean((one) => one.overlap);
  if (correlation === null) return "";
  const over =
    pairs.length === 1 ? "The two maps agree" : `The maps agree, over all ${count(pairs.length)} pairs,`;
  const share = shared === null ? "" : ` and share ${percent(100 * shared)} of their strongest 5 %`;
  return `${over} ${twoDigits(correlation)}${share} (rank correlation of magnitudes: 1 is the same order, 0 none).`;
}

function twoDigits(value: number): string {
  return value.toFixed(2).replace("-", "\u2212");
}
