import { decodeHalf } from "../map/half";
import { Lru } from "../map/lru";
import type { Tile } from "./messages";

/** A part of a map at its full resolution, decoded. */
export interface LoadedTile {
  readonly tile: Tile;
  readonly values: Float32Array;
}

/** Parts of maps that are larger than what travelled; asked for when they are looked at, one at a time. */
export class Tiles {
  readonly #held = new Lru<LoadedTile>(8_000_000);
  #waiting: { req: string; name: string } | null = null;
  readonly #failed = new Set<string>();
  #count = 0;

  constructor(
    readonly send: (content: unknown) => boolean,
    readonly changed: () => void,
  ) {}

  /** The part, if it is here; else it is asked for, unless another is under way. */
  get(key: string, top: number, left: number, height: number, width: number): LoadedTile | null {
    const name = [key, top, left, height, width].join(" ");
    const held = this.#held.get(name);
    if (held || this.#waiting || this.#failed.has(name)) return held ?? null;
    this.#count += 1;
    const req = `tile-${Math.random().toString(36).slice(2, 10)}-${this.#count}`;
    this.#waiting = { req, name };
    const content = { v: 1, kind: "tile", req, seq: this.#count, key, top, left, height, width };
    if (!this.send(content)) {
      this.#waiting = null;
      this.#failed.add(name);
    }
    return null;
  }

  /** Takes the answer to a request of its own; whether it was one. */
  receive(content: unknown, tile: Tile | null): boolean {
    const waiting = this.#waiting;
    const req = (content as { req?: unknown } | null)?.req;
    if (!waiting || req !== waiting.req) return false;
    if ((content as { kind?: unknown }).kind === "accepted") return true;
    this.#waiting = null;
    const values = tile && decodeHalf(tile.bytes, tile.channels * tile.height * tile.width, tile.scale);
    if (tile && values) this.#held.set(waiting.name, { tile, values }, values.length);
    else this.#failed.add(waiting.name);
    this.changed();
    return true;
  }

  /** A kernel that is gone answers nothing; a new one may. */
  reset(): void {
    this.#waiting = null;
    this.#failed.clear();
  }
}
