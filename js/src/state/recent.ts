const MOST = 32;

/** Classes in the order in which they were last looked at, the latest first. */
export function makeRecent() {
  let order: readonly number[] = [];

  return {
    order: () => order,
    note(index: number): void {
      order = [index, ...order.filter((one) => one !== index)].slice(0, MOST);
    },
  };
}
