import { describe, expect, it } from "vitest";
import { random } from "../dev/fake";
import { tableFor } from "../src/map/colour";
import { enlarge, isCoarse, paintEnlarged } from "../src/map/enlarge";
import { Field } from "../src/map/field";

const { NaN: nan } = Number;

function grid(width: number, height: number, seed = 1): Field {
  const draw = random(seed);
  return new Field(
    "signed",
    width,
    height,
    Float32Array.from({ length: width * height }, () => draw() - 0.5),
  );
}

describe("a coarse map", () => {
  it("is known by its grid", () => {
    expect([isCoarse(grid(7, 7), 224, 224), isCoarse(grid(7, 7), 7, 7), isCoarse(grid(8, 1), 8, 2)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("runs straight between centres and stays level beyond the outermost", () => {
    const field = new Field("signed", 2, 1, Float32Array.of(0, 8));
    expect([...enlarge(field, 8, 1)]).toEqual([0, 0, 1, 3, 5, 7, 8, 8]);
    expect([...enlarge(field, 2, 3)]).toEqual([0, 8, 0, 8, 0, 8]);
  });

  it("is linear in both directions at once", () => {
    // A plane is what bilinear interpolation keeps exactly between the centres.
    const plane = Float32Array.from({ length: 16 }, (_, i) => 2 * (i % 4) - 3 * Math.floor(i / 4));
    const values = enlarge(new Field("signed", 4, 4, plane), 32, 32);
    for (let y = 4; y < 28; y++) {
      for (let x = 4; x < 28; x++) {
        const expected = 2 * ((x + 0.5) / 8 - 0.5) - 3 * ((y + 0.5) / 8 - 0.5);
        expect(values[32 * y + x]).toBeCloseTo(expected, 5);
      }
    }
  });

  it("covers each kept cell as a whole and no other, whatever the sizes", () => {
    for (const [width, height, w, h] of [
      [7, 7, 224, 224],
      [3, 5, 10, 11],
      [4, 4, 6, 4],
    ] as const) {
      const field = grid(width, height, width);
      const { cut } = field.keep(40);
      const out = new Uint32Array(w * h);
      paintEnlarged(field, [w, h], field.level(99), cut, tableFor("signed"), out);
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const at = Math.floor(((y + 0.5) * height) / h) * width + Math.floor(((x + 0.5) * width) / w);
          expect(out[y * w + x] !== 0).toBe(Math.abs(field.values[at]!) >= cut);
        }
      }
    }
  });

  it("leaves a cell without a number empty and its neighbours as they would be without it", () => {
    const field = new Field("signed", 3, 1, Float32Array.of(2, nan, 4));
    expect([...enlarge(field, 6, 1)]).toEqual([2, 2, 2, 4, 4, 4]);
    const out = new Uint32Array(6);
    paintEnlarged(field, [6, 1], 4, 0, tableFor("signed"), out);
    expect([...out].map((pixel) => pixel !== 0)).toEqual([true, true, false, false, true, true]);
  });
});
