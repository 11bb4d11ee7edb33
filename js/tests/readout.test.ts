// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { pack } from "../dev/fake";
import { field, frame, INFO, model, SHAPE, show, withMap } from "./page";

describe("the readout", () => {
  const sentence = (more: Record<string, unknown>, row = 2) => {
    const page = show(model(more));
    const input = page.find<HTMLInputElement>("input[type=number]");
    input.value = String(row);
    input.dispatchEvent(new Event("input"));
    return frame().then(() => page);
  };

  it("says whose light it is that counts most", async () => {
    const values = new Float32Array(192).fill(1e-3);
    values.fill(-1, 64, 128);
    const green = withMap(SHAPE, {}, values);
    expect(field(await sentence({ ...green, sign: "absolute" }), "sign")).toBe(
      "More green light here lowers the logit of cat",
    );
    expect(field(await sentence(green), "sign")).toBe("More light here lowers the logit of cat");
  });

  it("names channels that are no colours by their numbers, all of them up to eight", async () => {
    const channels = Array.from({ length: 12 }, (_, i) => String(i + 1));
    const five = withMap(
      [5, 8, 8],
      { unit: "logit per input unit" },
      new Float32Array(320).fill(1, 192, 256),
    );
    const page = await sentence({
      ...five,
      _info: { ...INFO, channels: channels.slice(0, 5) },
      sign: "absolute",
    });
    expect(field(page, "sign")).toBe("More of channel 4 here raises the logit of cat");
    expect(page.root.querySelectorAll("[data-field=channel]")).toHaveLength(5);
    expect(page.find("[data-channel='channel 5']").textContent).toBe("0");
    expect(page.find("[role=img]").getAttribute("aria-label")).toContain("over the picture");
    const twelve = withMap([12, 8, 8]);
    const { find } = await sentence({ ...twelve, _info: { ...INFO, channels } });
    expect(find(".channels").textContent).toContain("and 4 more channels");
  });

  it("names the cell of a coarse map, and counts in cells", async () => {
    const values = Float32Array.of(-4, 1, 2, 3);
    const coarse = withMap(
      [1, 2, 2],
      { unit: "logit", method: { name: "gradcam", label: "Grad-CAM" } },
      values,
    );
    const page = await sentence({ ...coarse, threshold: 50 }, 3);
    expect(page.find(".title").textContent).toBe("cat · Grad-CAM of the logit");
    expect([field(page, "cell"), field(page, "unit")]).toEqual(["cell 0, 0 of 2 × 2", "logit"]);
    expect(field(page, "sign")).toBe("This cell lowers the logit of cat");
    expect(field(page, "rank")).toBe("rank 1 of 4 cells, stronger than 75\u00a0%");
    expect(page.find("[data-field=area]").dataset.count).toBe("2");
    const map = page.find<HTMLCanvasElement>("[data-layer=map]");
    expect([map.width, map.height]).toEqual([8, 8]);
    expect(page.root.querySelectorAll("[data-field=channel]")).toHaveLength(0);
  });

  it("takes a row and a column that are typed within one frame", async () => {
    const page = show(model());
    const [row, column] = [...page.root.querySelectorAll<HTMLInputElement>(".place input")];
    for (const [input, value] of [
      [row!, "7"],
      [column!, "0"],
    ] as const) {
      input.value = value;
      input.dispatchEvent(new Event("input"));
      input.dispatchEvent(new Event("change"));
    }
    await frame();
    expect([row!.value, column!.value, page.find("[data-field=pixel]").dataset.value]).toEqual([
      "7",
      "0",
      "168,169,170",
    ]);
  });

  it("claims nothing of the score where a value is no part of it", async () => {
    const values = Float32Array.of(4, 1, 2, 3);
    for (const [unit, said, right] of [
      ["activation", "Positive here", "+4.00"],
      ["logit squared per full-scale pixel", "Positive here", "+4.00"],
      ["nat", "This cell raises the logit of cat", "raises the score +4.00"],
    ] as const) {
      const page = await sentence(withMap([1, 2, 2], { unit }, values));
      expect(field(page, "sign")).toBe(said);
      expect(page.find(".ticks .to").textContent).toBe(right);
    }
  });

  it("says that a reduced picture is one", async () => {
    const page = await sentence(withMap(SHAPE, { reduced_from: [16, 16] }));
    expect(field(page, "cell")).toBe("in the reduced picture");
    expect(page.find("input[type=number]").title).toBe("Row of the reduced picture, 0 to 7");
  });

  it("reads the full resolution where it is on display, pixel by pixel", async () => {
    // A reduced map of ones; at full resolution each pixel has its number, negative in every odd column.
    vi.stubGlobal(
      "ResizeObserver",
      class {
        constructor(readonly changed: () => void) {}
        observe(): void {
          this.changed();
        }
        disconnect(): void {}
      },
    );
    for (const side of ["clientWidth", "clientHeight"] as const) {
      vi.spyOn(HTMLElement.prototype, side, "get").mockReturnValue(400);
    }
    const fake = model(withMap([1, 8, 8], { reduced_from: [32, 32] }, new Float32Array(64).fill(1)));
    fake.kernel = ({ kind, req, key }) => {
      if (kind !== "tile") return;
      const values = Float32Array.from({ length: 1024 }, (_, i) => (i % 2 ? -i : i));
      const { bytes, scale } = pack(values);
      const rgb = Uint8Array.from({ length: 3072 }, (_, i) => Math.floor(i / 3) % 251);
      const said = {
        kind,
        req,
        key,
        top: 0,
        left: 0,
        height: 32,
        width: 32,
        header: { shape: [1, 32, 32], scale },
      };
      fake.reply(said, [bytes, rgb]);
    };
    const page = show(fake);
    await frame();
    await frame();
    const stage = page.find(".stage");
    stage.getBoundingClientRect = () => new DOMRect(0, 0, 400, 400);
    const point = async (x: number, y: number) => {
      const event = new PointerEvent("pointermove", { pointerId: 1 });
      Object.defineProperties(event, { clientX: { value: x }, clientY: { value: y } });
      stage.dispatchEvent(event);
      await frame();
      const value = Number(page.find("[data-field=value]").dataset.value);
      return [field(page, "cell"), Math.round(value), page.find("[data-field=pixel]").dataset.value];
    };
    const at = (row: number, column: number) => {
      const i = 32 * row + column;
      const colour = i % 251;
      return [
        `row ${row}, column ${column} at full resolution`,
        i % 2 ? -i : i,
        [colour, colour, colour].join(),
      ];
    };
    // Four pixels of one that travelled.
    expect(await point(12.5 * 15.5, 12.5 * 10.5)).toEqual(at(10, 15));
    expect(field(page, "sign")).toContain("lowers");
    expect(await point(12.5 * 14.5, 12.5 * 10.5)).toEqual(at(10, 14));
    expect(field(page, "sign")).toContain("raises");
    expect(await point(12.5 * 12.5, 12.5 * 8.5)).toEqual(at(8, 12));
    expect(field(page, "rank")).toContain("of 64 reduced pixels");
    expect(await point(400, 400)).toEqual(at(31, 31));
    // A place that is typed is a pixel of what travelled, read in its middle.
    const row = page.find<HTMLInputElement>("input[type=number]");
    row.value = "2";
    row.dispatchEvent(new Event("input"));
    await frame();
    expect(field(page, "cell")).toBe("row 10, column 30 at full resolution");
    vi.restoreAllMocks();
  });
});
