import { fields } from "../map/header";

/** What a host gives us: the anywidget front-end module's model, of which any part may be missing or throw. */
export interface HostModel {
  get?(name: string): unknown;
  set?(name: string, value: unknown): void;
  save_changes?(): void;
  on?(event: string, callback: (...args: unknown[]) => void): void;
  off?(event: string, callback: (...args: unknown[]) => void): void;
  send?(content: unknown, callbacks?: unknown, buffers?: unknown[]): void;
}

/** A host's model made safe: nothing throws, what is missing answers false. */
export class Model {
  constructor(readonly raw: HostModel) {}

  get(name: string): unknown {
    try {
      return this.raw.get?.(name);
    } catch {
      return undefined;
    }
  }

  set(name: string, value: unknown): boolean {
    return this.#try(this.raw.set && (() => this.raw.set!(name, value)));
  }

  save(): boolean {
    return this.#try(this.raw.save_changes && (() => this.raw.save_changes!()));
  }

  get canSend(): boolean {
    return typeof this.raw.send === "function" && !this.deserted;
  }

  /**
   * Whether this page is known to have no kernel: one made from a saved notebook, or one whose kernel is gone. There `send` is
   * a function like any other, and does nothing. What a widget gets of its model does not tell; the model of its layout, which
   * came in the same way, does.
   */
  get deserted(): boolean {
    return fields(this.get("layout"))?.comm_live === false;
  }

  send(content: unknown): boolean {
    return this.#try(this.raw.send && (() => this.raw.send!(content)));
  }

  /** Listens until the returned function is called, also in a host that cannot take a listener off. */
  on(event: string, listener: (...args: unknown[]) => void): () => void {
    let heard = true;
    const callback = (...args: unknown[]) => {
      if (heard) listener(...args);
    };
    this.#try(this.raw.on && (() => this.raw.on!(event, callback)));
    return () => {
      if (!heard) return;
      heard = false;
      this.#try(this.raw.off && (() => this.raw.off!(event, callback)));
    };
  }

  #try(action: (() => void) | undefined): boolean {
    if (!action) return false;
    try {
      action();
      return true;
    } catch {
      return false;
    }
  }
}
