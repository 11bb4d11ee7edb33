// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { random } from "../dev/fake";
import type { Area } from "../src/map/paint";
import "./page";
import { copyPiece } from "../src/view/pieces";
import { Surface } from "../src/view/surface";
import { type Part, pixelsSeen, seenBy, WHOLE } from "../src/view/viewport";

const GRID = [60, 44] as const;

/** A picture in which each pixel has a colour of its own, with pieces in a tone of their own. */
function painter(pieces: readonly Area[], tone: number) {
  const asked: number[] = [];
  const paint = (part: Part, out: Uint32Array) => {
    const { top, left, step, across, down } = part;
    asked.push(out.length);
    expect(out.length).toBe(across * down);
    for (let y = 0, i = 0; y < down; y++) {
      for (let x = 0; x < across; x++, i++) out[i] = tone + (top + y * step) * GRID[0] + left + x * step;
    }
    for (const piece of pieces) {
      copyPiece(
        piece,
        new Uint32Array(piece.width * piece.height).fill(0xf0000 + 100 * piece.top + piece.left),
        part,
        out,
      );
    }
  };
  return { asked, paint };
}

/** What a surface has painted. */
const pixels = (surface: Surface, { across, down }: Part) => {
  return [...new Uint32Array(surface.image(across, down).data.buffer)];
};

describe("a surface", () => {
  it.each([1, 2, 3])("shows the same wherever it came from, at a step of %i", (step) => {
    const draw = random(step);
    const surface = new Surface(document.createElement("canvas"));
    const tiles = Array.from({ length: 12 }, (_, i): Area => {
      return {
        top: 16 * Math.floor(i / 4),
        left: 16 * (i % 4),
        height: i < 8 ? 16 : 12,
        width: i % 4 < 3 ? 16 : 12,
      };
    });
    let held: Area[] = [];
    let tone = 0;
    let all = 0;
    let drawn = 0;
    const at = { row: 0.5, column: 0.5 };
    for (let k = 0; k < 300; k++) {
      // Small moves, and now and then one to somewhere else, another colour, pieces that come and go.
      const far = draw() < 0.1;
      const along = (now: number) => (far ? draw() : Math.max(0, Math.min(1, now + 0.1 * (draw() - 0.5))));
      at.row = along(at.row);
      at.column = along(at.column);
      if (draw() < 0.05) tone = Math.floor(1000 * draw());
      if (draw() < 0.2)
        held = [...held, tiles[Math.floor(12 * draw())]!].filter((one, i, some) => some.indexOf(one) === i);
      if (draw() < 0.05) held = held.filter(() => draw() < 0.7);
      const part = pixelsSeen(WHOLE, GRID, seenBy({ zoom: 2.2, ...at }), step);
      const { asked, paint } = painter(held, tone);
      surface.paint(part, held, [tone], paint);
      all += part.across * part.down;
      drawn += asked.reduce((sum, one) => sum + one, 0);
      const expected = new Uint32Array(part.across * part.down);
      painter(held, tone).paint(part, expected);
      expect(pixels(surface, part)).toEqual([...expected]);
    }
    expect(drawn).toBeLessThan(all / 2);
  });

  it("paints nothing that it has, a strip where it moves, and all again when that may be lost", () => {
    const surface = new Surface(document.createElement("canvas"));
    const part = { top: 4, left: 8, height: 20, width: 30, step: 1, down: 20, across: 30 };
    const tile = { top: 10, left: 30, height: 5, width: 30 };
    const told = (pieces: readonly Area[], to: Part, state: unknown = 1) => {
      const { asked, paint } = painter(pieces, 0);
      surface.paint(to, pieces, [state], paint);
      return asked;
    };
    expect(told([], part)).toEqual([600]);
    expect(told([], part)).toEqual([]);
    expect(told([], { ...part, left: 11 })).toEqual([3 * 20]);
    expect(told([], { ...part, left: 9, top: 5 })).toEqual([30, 2 * 20]);
    expect(told([tile], { ...part, left: 9, top: 5 })).toEqual([9 * 5]);
    expect(told([tile], { ...part, left: 9, top: 5 })).toEqual([]);
    expect(told([], { ...part, left: 9, top: 5 })).toEqual([600]);
    expect(told([], { ...part, left: 9, top: 5 }, 2)).toEqual([600]);
    expect(told([], { ...part, left: 39, top: 5 }, 2)).toEqual([600]);
    surface.forget();
    expect(told([], { ...part, left: 39, top: 5 }, 2)).toEqual([600]);
  });
});
