/** How many values are handled between two moments at which whoever asked may do something else. */
export const SLICE = 1 << 20;

/** What steps lead to, without a pause. */
export function finish<V>(steps: Generator<void, V>): V {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
