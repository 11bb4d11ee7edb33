import { type Fields, fields, type Header, parsePlace, text, whole } from "../map/header";

/** A map that can be asked for: of which model and picture, by which method, of which score. */
export interface Want {
  readonly model: number;
  readonly image: number;
  readonly method: string;
  readonly parameters: Fields;
  readonly target: {
    readonly kind: string;
    /** null where the target is not one class. */
    readonly index: number | null;
    /** The class whose score is taken off; null where none is. */
    readonly other: number | null;
    /** Where it is of, in numbers; empty where it is of the whole picture. */
    readonly place: readonly number[];
  };
}

/** What is another about a map than about the one on display. */
export interface Change {
  readonly model?: number;
  readonly image?: number;
  readonly method?: string;
  readonly parameters?: Fields;
  readonly kind?: string;
  readonly index?: number | null;
  readonly other?: number | null;
  /** Without a class it is the one that is predicted there. */
  readonly place?: readonly number[];
}

export function wantOf({ model, image, method, target }: Header): Want {
  const { kind, index, other, place } = target;
  return {
    model,
    image,
    method: method.name,
    parameters: method.parameters,
    target: { kind, index, other, place },
  };
}

export function parseWant(raw: unknown): Want | null {
  const want = fields(raw);
  const target = fields(want?.target);
  const method = text(want?.method);
  if (!want || !target || !method) return null;
  return {
    model: whole(want.model) ?? 0,
    image: whole(want.image) ?? 0,
    method,
    parameters: fields(want.parameters) ?? {},
    target: {
      kind: text(target.kind, "logit"),
      index: whole(target.index),
      other: whole(target.other),
      place: parsePlace(target.place),
    },
  };
}

/** The same text for the same map, whatever the order of its parts. */
export function keyOf({ model, image, method, parameters, target }: Want): string {
  return stable([model, image, method, parameters, target.kind, target.index, target.other, target.place]);
}

export function same(a: Want, b: Want): boolean {
  return keyOf(a) === keyOf(b);
}

/** JSON with the names of an object in order. */
export function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`;
  const known = fields(value);
  if (!known) return JSON.stringify(value) ?? "null";
  const entries = Object.keys(known).sort();
  return `{${entries.map((name) => `${JSON.stringify(name)}:${stable(known[name])}`).join()}}`;
}
