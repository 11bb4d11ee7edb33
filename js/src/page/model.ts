import type { HostModel } from "../state/model";

/** A widget's state on a page that has nobody to ask: it can be read and changed, and nothing is sent. */
export class PageModel implements HostModel {
  readonly #traits: Map<string, unknown>;

  constructor(traits: Readonly<Record<string, unknown>>) {
    this.#traits = new Map(Object.entries(traits));
  }

  get(name: string): unknown {
    return this.#traits.get(name);
  }

  set(name: string, value: unknown): void {
    this.#traits.set(name, value);
  }
}
