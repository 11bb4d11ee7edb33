const WORD = /[\p{L}\p{N}]/u;

/** Labels made ready for searching; a class without a label is called by its number, two of one label are told apart by it. */
export class Labels {
  readonly #names: Readonly<Record<number, string>>;
  /** The classes that can be found. */
  readonly #classes: readonly number[];
  #shared: Set<string> | null = null;
  #lower: string[] | null = null;

  /** `names` of all classes in their order; or by their number, of the few that a page keeps, and no other is found. */
  constructor(names: readonly string[] | Readonly<Record<string, string>>, classes: number) {
    this.#names = names as Readonly<Record<number, string>>;
    this.#classes = Array.isArray(names)
      ? Array.from({ length: Math.max(classes, names.length) }, (_, i) => i)
      : Object.keys(names).map(Number);
  }

  get count(): number {
    return this.#classes.length;
  }

  name(index: number): string {
    return this.distinct(index, this.#names[index] || `class ${index}`);
  }

  /** `label` as the name of class `index`, with its number where another class is called the same. */
  distinct(index: number, label: string): string {
    this.#shared ??= shared(Object.values(this.#names));
    return this.#shared.has(label) ? `${label} (${index})` : label;
  }

  /**
   * At most `limit` classes for what was typed: the class of that number, labels that are it, that start with it, that have a
   * word that starts with it, that contain it. Nothing typed lists `first`, then the others in order.
   */
  find(typed: string, limit: number, first: readonly number[] = []): { matches: number[]; total: number } {
    const query = typed.trim().toLowerCase();
    if (query === "") return this.#all(limit, first);
    this.#lower ??= this.#classes.map((i) => this.name(i).toLowerCase());
    const ranked: number[][] = [[], [], [], [], []];
    const asNumber = /^\d+$/.test(query) ? Number(query) : -1;
    let total = 0;
    this.#classes.forEach((i, at) => {
      const grade = i === asNumber ? 0 : gradeOf(this.#lower![at]!, query, ` (${i})`);
      if (grade < 0) return;
      total++;
      const same = ranked[grade]!;
      if (same.length < limit) same.push(i);
    });
    return { matches: ranked.flat().slice(0, limit), total };
  }

  #all(limit: number, first: readonly number[]): { matches: number[]; total: number } {
    const known = this.#classes;
    const matches = new Set(first.filter((i) => known.includes(i)).slice(0, limit));
    for (let at = 0; at < known.length && matches.size < limit; at++) matches.add(known[at]!);
    return { matches: [...matches], total: known.length };
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
