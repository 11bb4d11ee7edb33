const MOST = 32;

/** Classes in the order in which they were last looked at, the latest first. */
export class Recent {
  #order: number[] = [];

  get order(): readonly number[] {
    return this.#order;
  }

  note(index: number): void {
    this.#order = [index, ...this.#order.filter((one) => one !== index)].slice(0, MOST);
  }
}
