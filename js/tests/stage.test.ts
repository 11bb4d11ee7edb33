// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { gradientMap, headerFor, pack, wanted } from "../dev/fake";
import { join } from "../src/state/registry";
import { PAUSE } from "../src/state/store";
import { fit as fitWhole, panBy, zoomBy } from "../src/view/viewport";
import { frame, model, SHAPE, show } from "./page";

const named = (root: ShadowRoot, name: string) =>
  [...root.querySelectorAll<HTMLButtonElement>("button")].find(
    (one) => (one.getAttribute("aria-label") ?? one.textContent) === name,
  )!;
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("zooming", () => {
  it("is a trait, saved once a gesture, and asks for nothing", async () => {
    const fake = model();
    const { root } = show(fake);
    named(root, "Zoom in").click();
    named(root, "Zoom in").click();
    await frame();
    expect((fake.get("viewport") as number[])[0]).toBe(4);
    expect(fake.saves).toBe(0);
    await wait(PAUSE + 100);
    expect([fake.saves, fake.sent]).toEqual([1, []]);
    named(root, "Zoom out").click();
    named(root, "Fit").click();
    await frame();
    expect(fake.get("viewport")).toEqual([1, 0.5, 0.5]);
    expect(named(root, "Fit").getAttribute("aria-disabled")).toBe("true");
  });

  it("can be told from elsewhere, about a pixel", () => {
    const fake = model();
    show(fake);
    const { store, leave } = join(fake);
    zoomBy(store, 2, { row: 0, column: 7 });
    expect(store.traits.viewport).toMatchObject({ zoom: 2 });
    expect(store.traits.viewport.column).toBeGreaterThan(0.5);
    panBy(store, 0, -9);
    expect(store.traits.viewport.column).toBe(0.25);
    fitWhole(store);
    expect(store.traits.viewport.zoom).toBe(1);
    leave();
  });

  it("leaves a plain wheel to the page until somebody has clicked on the picture", () => {
    const fake = model();
    const { find } = show(fake);
    const stage = find(".stage");
    stage.getBoundingClientRect = () => new DOMRect(0, 0, 100, 100);
    const wheel = (more: object = {}) => {
      const event = new WheelEvent("wheel", { deltaY: -120, cancelable: true, ...more });
      Object.defineProperties(event, { clientX: { value: 50 }, clientY: { value: 50 } });
      for (const [name, value] of Object.entries(more)) Object.defineProperty(event, name, { value });
      stage.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(wheel()).toBe(false);
    expect(wheel({ ctrlKey: true })).toBe(true);
    stage.dispatchEvent(new PointerEvent("pointerdown", { pointerId: 1 }));
    stage.dispatchEvent(new PointerEvent("pointerup", { pointerId: 1 }));
    expect(wheel()).toBe(true);
    stage.dispatchEvent(new PointerEvent("pointerleave", { pointerId: 1 }));
    expect(wheel()).toBe(false);
  });
});

describe("looking", () => {
  it("peeks for as long as the button is held", async () => {
    const { root, find } = show(model());
    const map = find("[data-layer=map]");
    const peek = named(root, "Peek");
    peek.dispatchEvent(new KeyboardEvent("keydown", { key: " " }));
    await frame();
    expect([map.style.opacity, find("[data-layer=photo]").style.filter]).toEqual(["0", "none"]);
    peek.dispatchEvent(new KeyboardEvent("keyup", { key: " " }));
    await frame();
    expect([map.style.opacity, find("[data-layer=photo]").style.filter]).toEqual(["0.6", "grayscale(1)"]);
  });

  it("keeps the photograph's colours where that is chosen, and hides it under a map alone", async () => {
    const fake = model({ photo: "colour" });
    const { find } = show(fake);
    expect(find("[data-layer=photo]").style.filter).toBe("none");
    fake.set("look", "map");
    await frame();
    expect(find("[data-layer=photo]").style.opacity).toBe("0");
  });

  it("says why there is no original", async () => {
    const words = ({ find }: ReturnType<typeof show>) => find("[data-field=seen]").textContent;
    expect(words(show(model({ frame: "original" })))).toMatch(/has no original picture/);
    const fake = model({ frame: "original" });
    const info = fake.get("_info") as { subjects: object[] };
    const original = { height: 10, width: 12, box: [0, 0, 10, 12] };
    fake.set("_info", { ...info, subjects: [{ ...info.subjects[0], original }] });
    const page = show(fake);
    expect(words(page)).toMatch(/on its way/);
    fake.set("_originals", [new Uint8Array([1, 2, 3])]);
    await vi.waitFor(() => expect(words(page)).toMatch(/cannot be decoded/));
  });
});

describe("panels", () => {
  function two(more: object = {}) {
    const maps = [1, 2].map((index) => pack(gradientMap(SHAPE, index)));
    return model({
      _maps: maps.map(({ scale }, i) => headerFor(i + 1, i ? "dog" : "cat", SHAPE, scale, i)),
      _slot_0: maps[0]!.bytes,
      _slot_1: maps[1]!.bytes,
      _labels: ["zero", "cat", "dog"],
      panels: [wanted(2)],
      ...more,
    });
  }

  it("are named by what differs, told how they agree, and taken away by name", async () => {
    const fake = two();
    const { root, find } = show(fake);
    await wait(250);
    await frame();
    expect([...root.querySelectorAll(".panel-head, .panel-title")].map((one) => one.textContent)).toContain(
      "dog",
    );
    expect(root.querySelectorAll("[role=img]")).toHaveLength(2);
    expect(find("[data-field=agreement]").textContent).toMatch(/^The two maps agree −?[01]\.\d\d/);
    expect(root.querySelectorAll(".panel-line")[1]!.textContent).toMatch(
      /colours to .* · agrees −?[01]\.\d\d/,
    );
    named(root, "Remove dog").click();
    await frame();
    expect(fake.get("panels")).toEqual([]);
    expect(root.querySelectorAll("[role=img]")).toHaveLength(1);
    expect([fake.saves, fake.sent]).toEqual([1, []]);
  });

  it("change places with the one that is shown", async () => {
    const fake = two();
    const { find } = show(fake);
    find(".panel-title").click();
    await frame();
    expect(fake.get("shown")).toBe("gradient/logit/2");
    expect(fake.get("panels")).toEqual([wanted(1)]);
    expect([find(".panel-title").textContent, fake.saves]).toEqual(["cat", 1]);
  });

  it("ask for a map that was not there when the page was, and say why there is none", async () => {
    const fake = two({ panels: [wanted(0)] });
    const { find, root } = show(fake);
    await frame();
    expect(fake.sent).toMatchObject([{ kind: "request", want: { target: { index: 0 } } }]);
    fake.reply({
      kind: "error",
      req: (fake.sent[0] as { req: string }).req,
      message: "No memory.",
      traceback: "",
    });
    await frame();
    expect(root.querySelectorAll(".panel-line")[1]!.textContent).toBe("Could not be computed. No memory.");
    expect(find(".title").textContent).toContain("cat");
  });
});
