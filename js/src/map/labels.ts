const WORD = /[\p{L}\p{N}]/u;

/** Labels made ready for searching; a class without a label is called by its number, two of one label are told apart by it. */
export class Labels {
  readonly count: number;
  readonly #names: readonly string[];
  #shared: Set<string> | null = null;
  #lower: string[] | null = null;

  constructor(names: readonly string[], classes: number) {
    this.#names = names;
    this.count = Math.max(classes, names.length);
  }

  name(index: number): string {
    return this.distinct(index, this.#names[index] || `class ${index}`);
  }

  /** `label` as the name of class `index`, with its number where another class is called the same. */
  distinct(index: number, label: string): string {
    this.#shared ??= shared(this.#names);
    return this.#shared.has(label) ? `${label} (${index})` : label;
  }

  /**
   * At most `limit` classes for what was typed: the class of that number, labels that are it, that start with it, that have a
   * word that starts with it, that contain it. Nothing typed lists `first`, then the others in order.
   */
  find(typed: string, limit: number, first: readonly number[] = []): { matches: number[]; total: number } {
    const query = typed.trim().toLowerCase();
    if (query === "") return this.#all(limit, first);
    if (!this.#lower) {
      this.#lower = Array.from({ length: this.count }, (_, i) => this.name(i).toLowerCase());
    }
    const ranked: number[][] = [[], [], [], [], []];
    const asNumber = /^\d+$/.test(query) ? Number(query) : -1;
    let total = 0;
    for (let i = 0; i < this.count; i++) {
      const grade = i === asNumber ? 0 : gradeOf(this.#lower[i]!, query, ` (${i})`);
      if (grade < 0) continue;
      total++;
      const same = ranked[grade]!;
      if (same.length < limit) same.push(i);
    }
    return { matches: ranked.flat().slice(0, limit), total };
  }

  #all(limit: number, first: readonly number[]): { matches: number[]; total: number } {
    const matches = new Set(first.filter((i) => i >= 0 && i < this.count).slice(0, limit));
    for (let i = 0; i < this.count && matches.size < limit; i++) matches.add(i);
    return { matches: [...matches], total: this.count };
  }
}

/** The labels that more than one class has. */
function shared(names: readonly string[]): Set<string> {
  const seen = new Set<string>();
  return new Set(names.filter((name) => name !== "" && (seen.has(name) || !seen.add(name))));
}

function gradeOf(label: string, query: string, number: string): number {
  let at = label.indexOf(query);
  if (at < 0) return -1;
  if (at === 0) return label === query || label === query + number ? 1 : 2;
  while (at >= 0) {
    if (!WORD.test(label[at - 1]!)) return 3;
    at = label.indexOf(query, at + 1);
  }
  return 4;
}
