import { describe, expect, it } from "vitest";
import { middleIn, placeIn } from "../src/view/framing";
import { copyPiece, sample } from "../src/view/pieces";
import { carried } from "../src/view/place";
import { short } from "../src/view/short";
import { mostZoom, moved, pixelsSeen, placedIn, seenBy, stepFor, WHOLE, zoomed } from "../src/view/viewport";

const FIT = { zoom: 1, row: 0.5, column: 0.5 };

describe("what is seen", () => {
  it("is never beyond the picture", () => {
    expect(seenBy(FIT)).toEqual(WHOLE);
    expect(seenBy({ zoom: 4, row: 0, column: 1 })).toEqual({ left: 0.75, top: 0, width: 0.25, height: 0.25 });
    expect(moved({ zoom: 2, row: 0.5, column: 0.5 }, 9, -9)).toEqual({ zoom: 2, row: 0.75, column: 0.25 });
  });

  it("keeps the point that is zoomed about where it is on the screen", () => {
    const point = { row: 0.3, column: 0.8 };
    let viewport = FIT as { zoom: number; row: number; column: number };
    for (const factor of [1.7, 3, 2, 0.6]) {
      viewport = zoomed(viewport, factor, point, 100);
      const seen = seenBy(viewport);
      expect((point.row - seen.top) / seen.height).toBeCloseTo(0.3, 12);
      expect((point.column - seen.left) / seen.width).toBeCloseTo(0.8, 12);
    }
  });

  it("goes from the whole picture to single pixels and no further", () => {
    const far = zoomed(FIT, 1e9, { row: 0.5, column: 0.5 }, mostZoom(224));
    // A pixel is then at least 48 pixels of the page also on a stage half as wide.
    expect((far.zoom * 224) / 224).toBeGreaterThanOrEqual(48);
    expect(zoomed(far, 1e-9, { row: 0, column: 0 }, mostZoom(224))).toEqual(FIT);
  });

  it("holds each pixel that can be seen, and as many wherever it is moved to", () => {
    const grid = [224, 100] as const;
    const sizes = new Set<string>();
    for (let k = 0; k <= 40; k++) {
      const seen = seenBy({ zoom: 7.3, row: k / 40, column: 1 - k / 40 });
      for (const step of [1, 3]) {
        const part = pixelsSeen(WHOLE, grid, seen, step);
        expect(part.left % step).toBe(0);
        expect(part.left).toBeLessThanOrEqual(seen.left * 224 + 1e-9);
        expect(part.left + part.width).toBeGreaterThanOrEqual((seen.left + seen.width) * 224 - 1e-9);
        expect(part.top + part.height).toBeGreaterThanOrEqual((seen.top + seen.height) * 100 - 1e-9);
        if (step === 1) sizes.add(`${part.across} ${part.down}`);
        const rect = placedIn(WHOLE, grid, part, seen);
        expect(rect.left * seen.width + seen.left).toBeCloseTo(part.left / 224, 12);
      }
    }
    expect(sizes.size).toBe(1);
    expect(pixelsSeen(WHOLE, grid, WHOLE)).toMatchObject({ left: 0, top: 0, width: 224, height: 100 });
  });

  it("is drawn no finer than the screen shows and in no more pixels than is allowed", () => {
    expect(stepFor(WHOLE, [1024, 1024], WHOLE, 448, 2 ** 20)).toBe(2);
    expect(stepFor(WHOLE, [4096, 4096], WHOLE, Number.POSITIVE_INFINITY, 2 ** 20)).toBe(4);
    expect(stepFor(WHOLE, [4096, 4096], seenBy({ ...FIT, zoom: 20 }), 448, 2 ** 20)).toBe(1);
    expect(stepFor(WHOLE, [224, 224], WHOLE, 0, 2 ** 20)).toBe(1);
  });
});

describe("a picture inside its original", () => {
  const framing = {
    size: [400, 300] as const,
    picture: { left: 0.25, top: 0, width: 0.5, height: 1 },
    pixels: [20, 30] as const,
    original: null,
    words: "",
  };

  it("has its own pixels, and none outside", () => {
    expect(placeIn(framing, { row: 0.5, column: 0.24 })).toBeNull();
    expect(placeIn(framing, { row: 0.5, column: 0.76 })).toBeNull();
    for (const place of [
      { row: 0, column: 0 },
      { row: 29, column: 19 },
      { row: 13, column: 4 },
    ]) {
      expect(placeIn(framing, middleIn(framing, place))).toMatchObject(place);
    }
    expect(placeIn(framing, { row: 1, column: 0.75 })).toMatchObject({ row: 29, column: 19 });
  });

  it("shares its crosshair with pictures of other sizes", () => {
    expect(carried({ row: 29, column: 0 }, [20, 30], [40, 60])).toEqual({ row: 59, column: 1 });
    expect(carried({ row: 59, column: 1 }, [40, 60], [20, 30])).toEqual({ row: 29, column: 0 });
  });
});

describe("parts at full resolution", () => {
  it("take the place of just the pixels that are theirs", () => {
    // A picture of 8 x 8, of which a part of 4 x 4 is here; every second pixel of the rows and columns from 2 on is drawn.
    const part = { top: 2, left: 2, height: 6, width: 6, step: 2, down: 3, across: 3 };
    const out = new Uint32Array(9);
    sample(out, part, [8, 8], [2, 2], Uint32Array.of(100, 101, 102, 103));
    expect([...out]).toEqual([100, 101, 101, 102, 103, 103, 102, 103, 103]);
    const colours = Uint32Array.from({ length: 16 }, (_, i) => i);
    copyPiece({ top: 4, left: 4, height: 4, width: 4 }, colours, part, out);
    expect([...out]).toEqual([100, 101, 101, 102, 0, 2, 102, 8, 10]);
  });
});

describe("a number in a pixel", () => {
  it.each([
    [0, "0"],
    [Number.NaN, "none"],
    [0.0123, "+0.012"],
    [-0.000456, "−4.6e−4"],
    [-12.34, "−12"],
    [123456, "+1.2e5"],
    [999.9, "+1e3"],
  ])("is short: %f", (value, text) => {
    expect(short(value, true)).toBe(text);
  });
});
