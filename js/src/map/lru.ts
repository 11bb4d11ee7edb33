/** Keeps what was used last, up to a total cost; what is put in last always stays. */
export class Lru<V> {
  readonly #entries = new Map<string, { value: V; cost: number }>();
  #total = 0;

  constructor(readonly limit: number) {}

  get(key: string): V | undefined {
    const found = this.#entries.get(key);
    if (!found) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found.value;
  }

  set(key: string, value: V, cost: number): void {
    this.delete(key);
    this.#entries.set(key, { value, cost });
    this.#total += cost;
    for (const oldest of this.#entries.keys()) {
      if (this.#total <= this.limit || oldest === key) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const found = this.#entries.get(key);
    if (!found) return;
    this.#entries.delete(key);
    this.#total -= found.cost;
  }
}
