import type { Fields } from "../map/header";
import { stable } from "./want";

const MOST = 100;

/** What the view was, gesture by gesture. */
export class History {
  #past: Fields[] = [];
  #future: Fields[] = [];
  #now: Fields | null = null;

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** Notes the view as it is after a gesture; one that changed nothing leaves no trace. */
  note(view: Fields): void {
    if (this.#now && stable(this.#now) === stable(view)) return;
    if (this.#now) this.#past = [...this.#past, this.#now].slice(-MOST);
    this.#now = view;
    this.#future = [];
  }

  /** Takes the view as it is for what it was: a change that is not a gesture of whoever looks here. */
  amend(view: Fields): void {
    this.#now = view;
  }

  undo(): Fields | null {
    return this.#step(this.#past, this.#future);
  }

  redo(): Fields | null {
    return this.#step(this.#future, this.#past);
  }

  #step(from: Fields[], to: Fields[]): Fields | null {
    const view = from.pop();
    if (!view) return null;
    if (this.#now) to.push(this.#now);
    this.#now = view;
    return view;
  }
}
