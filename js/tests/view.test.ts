// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel, gradientMap, headerFor, pack } from "../dev/fake";
import widget from "../src/index";

const SHAPE = [3, 8, 8] as const;

class Quiet {
  observe(): void {}
  disconnect(): void {}
}

class Picture {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8ClampedArray(4 * width * height);
  }
}

beforeEach(() => {
  vi.stubGlobal("ResizeObserver", Quiet);
  vi.stubGlobal("IntersectionObserver", Quiet);
  vi.stubGlobal("ImageData", Picture);
});

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

function model(more: Record<string, unknown> = {}): FakeModel {
  const { bytes, scale } = pack(gradientMap(SHAPE, 1));
  return new FakeModel({
    _info: {
      picture: { width: 8, height: 8 },
      channels: ["R", "G", "B"],
      classes: 3,
      prediction: [{ index: 1, label: "<b>cat</b>", probability: 0.5 }],
    },
    _image: new Uint8Array(192).map((_, i) => i),
    _labels: ["zero", "<b>cat</b>", "x".repeat(10000)],
    _maps: [headerFor(1, "<b>cat</b>", SHAPE, scale, 0)],
    _slot_0: bytes,
    _status: { state: "idle" },
    shown: "gradient/logit/1",
    sign: "signed",
    threshold: 100,
    opacity: 0.6,
    clip: 99,
    ...more,
  });
}

function show(fake: FakeModel, signal?: AbortSignal) {
  const el = document.body.appendChild(document.createElement("div"));
  const close = widget.render({ model: fake, el, ...(signal ? { signal } : {}) });
  const host = el.firstElementChild as HTMLElement;
  const root = host.shadowRoot!;
  const find = <E extends HTMLElement>(selector: string) => root.querySelector<E>(selector)!;
  return { el, host, root, find, close };
}

const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 5)));

describe("a view", () => {
  it("says what the model says and what the map is, as text and never as markup", () => {
    const { root, find } = show(model());
    expect(find("header").textContent).toContain("<b>cat</b> with probability 50");
    expect(root.querySelector("b")).toBeNull();
    expect(find(".title").textContent).toBe("Gradient map of the logit of <b>cat</b>");
    expect(find(".ticks").textContent).toMatch(/lowers the score0raises the score/);
    expect(find(".scale").textContent).toContain("clipped at the 99th percentile of |value|");
    expect(find("[role=img]").getAttribute("aria-label")).toContain("Strongest at row");
    expect(find("[role=img]").hasAttribute("tabindex")).toBe(false);
  });

  it("reads the pixel that Row and Column name, and sends nothing", async () => {
    const fake = model();
    const { find, root } = show(fake);
    const [row, column] = [...root.querySelectorAll<HTMLInputElement>("input[type=number]")];
    row!.value = "2";
    column!.value = "5";
    row!.dispatchEvent(new Event("input"));
    await frame();
    const channels = [...root.querySelectorAll<HTMLElement>("[data-field=channel]")].map((one) =>
      Number(one.dataset.value),
    );
    const values = gradientMap(SHAPE, 1);
    channels.forEach((value, c) => {
      expect(Math.abs(value - values[c * 64 + 2 * 8 + 5]!)).toBeLessThan(1e-3 * Math.abs(value) + 1e-7);
    });
    expect(Number(find("[data-field=value]").dataset.value)).toBeCloseTo(
      channels.reduce((a, b) => a + b),
      9,
    );
    expect(find("[data-field=sign]").textContent).toMatch(/^(raises|lowers) the logit of <b>cat<\/b>$/);
    expect(find("[data-field=pixel]").dataset.value).toBe("63,64,65");
    expect([fake.sent, fake.saves]).toEqual([[], 0]);
  });

  it("sets a trait while a slider moves and saves once when it is let go", async () => {
    const fake = model();
    const { find } = show(fake);
    const slider = find<HTMLInputElement>("input[type=range]");
    for (const position of ["10", "50", "100"]) {
      slider.value = position;
      slider.dispatchEvent(new Event("input"));
      await frame();
    }
    slider.dispatchEvent(new Event("change"));
    await frame();
    expect([fake.get("threshold"), fake.saves, fake.sent]).toEqual([10, 1, []]);
    expect(slider.getAttribute("aria-valuetext")).toMatch(/^keeps the strongest 9\.4.% of the area, \d/);
    fake.set("threshold", 0);
    await frame();
    expect(slider.getAttribute("aria-valuetext")).toBe("keeps nothing");
  });

  it("marks what is old, offers Stop, and tells of an error with its traceback", async () => {
    const fake = model();
    const { root, find } = show(fake);
    const input = find<HTMLInputElement>("[role=combobox]");
    input.value = "2";
    input.dispatchEvent(new Event("input"));
    const options = [...root.querySelectorAll("[role=option]")];
    expect(options).toHaveLength(1);
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    await frame();
    const { req } = fake.sent[0] as { req: string };
    expect(find(".stage").hasAttribute("data-old")).toBe(true);
    expect(find(".stop").style.visibility).toBe("visible");
    expect(find("[data-field=state]").textContent).toMatch(/^Computing x+… …$/);
    fake.reply({ kind: "error", req, message: "No memory.", traceback: "line 31" });
    await frame();
    expect(find("[role=alert]").textContent).toBe("No memory.");
    expect(find("details pre").textContent).toBe("line 31");
    expect(find(".stage").hasAttribute("data-old")).toBe(false);
    expect(find(".title").textContent).toContain("cat");
  });

  it.each([
    [{ _maps: [] }, "The first map is being computed …"],
    [
      { _slot_0: new Uint8Array(384) },
      "The score does not depend on any pixel here: every gradient is zero.",
    ],
    [{ _slot_0: new Uint8Array(5) }, "The map did not arrive whole."],
    [
      { _slot_0: new Uint8Array(384).fill(0x7e) },
      "No pixel has a number: the gradient is not finite anywhere.",
    ],
    [
      { _status: { state: "computing", want: { key: "k", text: "logit of lynx" } } },
      "Computing logit of lynx …",
    ],
  ])("has words for each state (%#)", (state, words) => {
    expect(show(model(state)).find("[data-field=state]").textContent).toBe(words);
  });

  it("is taken down once, whether its signal aborts, its cleanup runs, or both", () => {
    for (const way of ["signal", "cleanup", "both"]) {
      const fake = model();
      const controller = new AbortController();
      const { el, close } = show(fake, controller.signal);
      expect(fake.listening()).toBeGreaterThan(0);
      if (way !== "cleanup") controller.abort();
      if (way !== "signal") close();
      expect([fake.listening(), el.childElementCount]).toEqual([0, 0]);
    }
  });

  it("renders nothing lasting for a signal that is aborted already", () => {
    const fake = model();
    const { el } = { el: document.createElement("div") };
    widget.render({ model: fake, el, signal: AbortSignal.abort() });
    expect([fake.listening(), el.childElementCount]).toEqual([0, 0]);
  });
});

describe("keys", () => {
  const marked = (host: HTMLElement) => host.hasAttribute("data-lm-suppress-shortcuts");
  const press = (on: Element, type: string, key: string) =>
    on.dispatchEvent(new KeyboardEvent(type, { key, bubbles: true, composed: true }));

  it("are kept from the notebook, except while Ctrl or Meta is held outside a box", () => {
    const { host, find } = show(model());
    expect(marked(host)).toBe(true);
    const button = find<HTMLButtonElement>(".classes button");
    for (const key of ["Control", "Meta"]) {
      button.focus();
      press(button, "keydown", key);
      expect(marked(host)).toBe(false);
      press(button, "keyup", key);
      expect(marked(host)).toBe(true);
      for (const box of [find("[role=combobox]"), find("input[type=number]")]) {
        box.focus();
        press(box, "keydown", key);
        expect(marked(host)).toBe(true);
      }
    }
  });
});
