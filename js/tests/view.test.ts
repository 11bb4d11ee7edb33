// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { gradientMap } from "../dev/fake";
import widget from "../src/index";
import { frame, model, SHAPE, show } from "./page";

describe("a view", () => {
  it("says what the model says and what the map is, as text and never as markup", () => {
    const { root, find } = show(model());
    expect(find("header").textContent).toContain("<b>cat</b> with probability 50");
    expect(root.querySelector("b")).toBeNull();
    expect(find(".title").textContent).toBe("<b>cat</b> · gradient of the logit");
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
    expect(find("[data-field=sign]").textContent).toMatch(
      /^More light here (raises|lowers) the logit of <b>cat<\/b>$/,
    );
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
    expect(slider.getAttribute("aria-valuetext")).toMatch(/^strongest 9\.4.% of the area, holds \d/);
    fake.set("threshold", 0);
    await frame();
    expect(slider.getAttribute("aria-valuetext")).toBe("hides everything");
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
    expect(find(".row > button").hidden).toBe(false);
    expect(find("[data-field=state]").textContent).toMatch(/^Computing x+… … · still showing <b>cat<\/b>$/);
    expect(find(".busy:not([hidden])").textContent).toBe("computing");
    fake.reply({ kind: "error", req, message: "No memory.", traceback: "line 31" });
    await frame();
    expect(find("[role=alert]").textContent).toMatch(
      /^The map of x+… could not be computed; this is still <b>cat<\/b>\. No memory\.$/,
    );
    expect(find(".row > button").hidden).toBe(true);
    expect(find("details pre").textContent).toBe("line 31");
    expect(find(".stage").hasAttribute("data-old")).toBe(false);
    expect(find(".title").textContent).toContain("cat");
  });

  it.each([
    [{ _maps: [] }, "The first map is being computed …"],
    [{ _maps: [], layout: { comm_live: false } }, "This page holds no map."],
    [
      { _slot_0: new Uint8Array(384) },
      "The score does not depend on any pixel here: every gradient is zero.",
    ],
    [{ _slot_0: new Uint8Array(5) }, "The map did not arrive whole."],
    [{ _slot_0: new Uint8Array(384).fill(0x7e) }, "No pixel has a number: the map is not finite anywhere."],
    [
      { _status: { state: "computing", want: { key: "k", text: "logit of lynx" } } },
      "Computing the logit of lynx … · still showing <b>cat</b>",
    ],
  ])("has words for each state (%#)", (state, words) => {
    expect(show(model(state)).find("[data-field=state]").textContent).toBe(words);
  });

  it("says that there is no kernel where the host knows that there is none", () => {
    for (const live of [true, false]) {
      const { find } = show(model({ layout: { comm_live: live } }));
      const said = find<HTMLElement>(".rest");
      expect(said.textContent).toBe("Without a kernel, only the classes that are here can be shown.");
      expect(said.hidden).toBe(live);
    }
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

describe("the menu of methods", () => {
  const METHODS = [
    { name: "gradient", label: "Gradient", summary: "To first order." },
    { name: "grad-cam", label: "<b>Grad-CAM</b>", summary: "By cells." },
  ];
  const info = (more: Record<string, unknown> = {}) => ({ ...(model().get("_info") as object), ...more });

  it("asks for the class that is looked at by another method, and says what that is", async () => {
    const fake = model({ _info: info({ methods: METHODS }) });
    const { find } = show(fake);
    const select = find<HTMLSelectElement>(".method select");
    expect([...select.options].map((one) => one.textContent)).toEqual(["Gradient", "<b>Grad-CAM</b>"]);
    expect(select.value).toBe("gradient");
    expect(find(".method").textContent).toContain("To first order.");
    select.value = "grad-cam";
    select.dispatchEvent(new Event("change"));
    await frame();
    const asked = fake.sent.map((one) => one as { kind: string; want: unknown });
    expect(asked.filter((one) => one.kind === "request").map((one) => one.want)).toMatchObject([
      { method: "grad-cam", target: { kind: "logit", index: 1 } },
    ]);
    expect(find(".method").textContent).toContain("By cells.");
  });

  it("is not there where Python names no methods", () => {
    expect(show(model()).find(".method").hidden).toBe(true);
  });
});
