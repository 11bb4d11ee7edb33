// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { gradientMap, headerFor, pack, wanted } from "../dev/fake";
import { shapeOf } from "../src/view/place";
import { box, field, frame, INFO, LABELS, lastReq, model, press, SHAPE, show, type, withMap } from "./page";

const NAN = { _slot_0: new Uint8Array(384).fill(0x7e) };

describe("a map without a number", () => {
  it("is not called zero anywhere", () => {
    const page = show(model({ ...NAN, sign: "absolute" }));
    expect(page.find(".ticks").textContent).toBe("");
    expect(page.find(".scale").textContent).toBe("logit per full-scale pixel; no finite value");
    expect(page.find(".kept").textContent).toBe("no pixel has a number");
    expect(page.find("input[type=range]").getAttribute("aria-valuetext")).toBe("no pixel has a number");
    const name = page.find("[role=img]").getAttribute("aria-label");
    expect(name).toContain("No pixel has a number");
    expect(name).not.toContain("photograph");
  });
});

describe("what the model says", () => {
  it("is no verdict where a sigmoid gives each class a probability of its own", () => {
    const prediction = [{ index: 0, label: "pneumonia", probability: 0.03 }];
    const says = (more: object) => show(model({ _info: { ...INFO, prediction, ...more } })).find(".says");
    expect(says({ classes: 1 }).textContent).toBe("The model gives pneumonia a probability of 3\u00a0%");
    expect(says({ probability: "sigmoid" }).textContent).toContain("gives pneumonia");
    expect(says({ probability: "softmax" }).textContent).toBe(
      "The model says pneumonia with probability 3\u00a0%",
    );
  });

  it("has its notes on lines of their own, and names the widget", () => {
    const page = show(model({ _info: { ...INFO, model: "net", notes: ["In training mode.", "Other."] } }));
    expect([...page.root.querySelectorAll(".notes li")].map((one) => one.textContent)).toEqual([
      "In training mode.",
      "Other.",
    ]);
    const widget = page.find(".widget");
    expect([widget.getAttribute("role"), widget.getAttribute("aria-label")]).toEqual([
      "group",
      "Saliency map, net, cat",
    ]);
  });
});

describe("how sure a map is", () => {
  it("is not called the whole where the error is larger than the map", () => {
    const page = show(model(withMap([3, 8, 8], { quality: { standard_error: 3.5 } })));
    expect(field(page, "state")).toContain("standard error 350\u00a0%");
  });
});

describe("a kernel that is gone", () => {
  it("is said aloud", async () => {
    const fake = model();
    const page = show(fake);
    fake.emit("comm_live_update");
    await frame();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(page.find("[role=status].spoken").textContent).toMatch(/^The kernel is gone/);
  });
});

describe("the score of a model with a single output", () => {
  const scores = ["logit", "probability", "margin"].map((kind) => ({ kind, label: kind }));
  const one = {
    ...INFO,
    classes: 1,
    prediction: [{ index: 0, label: "pneumonia", probability: 0.03 }],
    scores,
  };
  const header = { ...headerFor(0, "pneumonia", [3, 8, 8], 1, 0) };

  it("can be chosen, without another class", () => {
    const target = { ...header.target, kind: "probability" };
    const page = show(
      model({ ...withMap([3, 8, 8], { ...header, target }), _info: one, _labels: [], shown: header.key }),
    );
    expect(page.find(".question").hidden).toBe(false);
    expect(page.find(".versus").hidden).toBe(true);
    const kinds = [...page.root.querySelectorAll<HTMLOptionElement>(".question option")].map((o) => o.value);
    expect(kinds).toEqual(["logit", "probability"]);
    expect(page.find(".question > .quiet").textContent).toBe("After the sigmoid: of this class by itself.");
  });
});

describe("a map that is computed for a further panel", () => {
  it("does not make the one on display out of date", async () => {
    const panels = [wanted(2)];
    const fake = model({ _info: INFO, _labels: LABELS, panels });
    const page = show(fake);
    await frame();
    expect(fake.sent).toMatchObject([{ kind: "request" }]);
    fake.set("_status", { state: "computing", want: { key: "k", text: "logit of thing 2" } });
    await frame();
    expect(field(page, "state")).toMatch(/^Computing/);
    expect(field(page, "state")).not.toContain("still showing");
  });
});

describe("a class versus another", () => {
  it.each([
    ["logit", "difference of logits"],
    ["probability", "difference of probabilities"],
    ["log-probability", "difference of log-probabilities"],
  ])("by its %s says what the difference is of", (kind, words) => {
    const target = {
      kind,
      index: 1,
      other: 2,
      label: "cat",
      other_label: "dog",
      text: `${kind} of cat minus …`,
    };
    const page = show(model({ _info: INFO, ...withMap([3, 8, 8], { target }) }));
    expect(page.find(".title").textContent).toContain(`cat rather than dog · gradient of the ${words}`);
    const line = page.find("[data-field=state]").textContent;
    expect(line).toMatch(new RegExp(`^${words} 7\\.31 · probability 2`));
  });
});

describe("a map that comes bit by bit", () => {
  it("says how far it is in the line that has its room, and not in the title", async () => {
    const fake = model();
    const page = show(fake);
    const title = () => page.find(".title").textContent;
    type(page, "2");
    press(page, "Enter");
    const { bytes, scale } = pack(gradientMap(SHAPE, 2));
    const partial = (seq: number) => ({
      kind: "partial",
      req: lastReq(fake),
      seq,
      done: seq,
      total: 50,
      seconds: 1,
      header: { ...headerFor(2, "two", SHAPE, scale), quality: { agreement: 0.5 } },
    });
    fake.reply(partial(7), [bytes]);
    await frame();
    const before = title();
    expect(before).toContain("two");
    expect(field(page, "state")).toMatch(/^Computing .* … 7 of 50, .*halves agree 0\.50$/);
    fake.reply(partial(8), [bytes]);
    await frame();
    expect([title(), field(page, "state").includes("8 of 50")]).toEqual([before, true]);
  });
});

describe("Stop", () => {
  it("is offered for what this page did not ask for, and hands its focus on when it goes", async () => {
    const fake = model({ _status: { state: "computing", want: { key: "k", text: "logit of lynx" } } });
    const page = show(fake);
    const stop = page.find<HTMLButtonElement>(".row > button");
    expect(stop.hidden).toBe(false);
    stop.focus();
    stop.click();
    expect(fake.sent).toEqual([{ v: 1, kind: "cancel", req: "*", keep: true }]);
    fake.set("_status", { state: "idle" });
    await frame();
    expect(stop.hidden).toBe(true);
    expect(page.root.activeElement?.textContent).toBe("Crosshair");
    // What it kept is here a moment later, unless somebody has gone on from there.
    const [held] = fake.get("_maps") as object[];
    fake.set("_maps", [{ ...held, final: false, done: 3, total: 9 }]);
    await frame();
    expect(page.root.activeElement?.textContent).toBe("Go on");
    box(page).focus();
    fake.set("_maps", [held]);
    await frame();
    expect(page.root.activeElement).toBe(box(page));
  });
});

describe("what stands beside the controls", () => {
  it("is not read aloud whenever it changes", () => {
    const baseline = { name: "baseline", label: "Baseline", kind: "value", default: "an array" };
    const methods = [{ name: "gradient", label: "Gradient", parameters: [baseline] }];
    const page = show(model({ _info: { ...INFO, methods } }));
    const outputs = [...page.root.querySelectorAll("output")];
    expect(outputs.filter((one) => one.getAttribute("aria-live") !== "off")).toEqual([]);
  });
});

describe("a long error", () => {
  it("is cut where it is a sentence, and whole in the traceback", async () => {
    const fake = model();
    const page = show(fake);
    type(page, "2");
    press(page, "Enter");
    const message = "y".repeat(5000);
    fake.reply({ kind: "error", req: lastReq(fake), message, traceback: message });
    await frame();
    const alert = page.find("[role=alert]");
    for (const words of [alert.textContent, alert.title, page.find(".sheet p").textContent]) {
      expect(words!.length).toBeLessThan(500);
    }
    expect(page.find(".sheet pre").textContent).toBe(message);
  });
});

describe("the exact threshold", () => {
  it("is set by its number, and what is no percentage gives way", async () => {
    const fake = model();
    const page = show(fake);
    const exact = page.find<HTMLInputElement>("[aria-label='Threshold in percent']");
    for (const [typed, set] of [
      ["12.5", 12.5],
      ["", 12.5],
      ["200", 12.5],
    ] as const) {
      exact.value = typed;
      exact.dispatchEvent(new Event("input"));
      expect(fake.get("threshold")).toBe(set);
    }
    exact.dispatchEvent(new Event("change"));
    await frame();
    expect([exact.value, fake.saves]).toEqual(["12.5", 1]);
    expect(page.find(".kept").textContent).toMatch(/^strongest 12\.5.% of the area · holds \d/);
  });
});

describe("a picture that is a line", () => {
  it("is drawn out until it can be seen, and says so", () => {
    const narrow = { picture: { width: 1, height: 1200 }, channels: ["R", "G", "B"] };
    const page = show(model({ _info: { ...INFO, ...narrow }, ...withMap([3, 1200, 1]) }));
    expect(shapeOf([1, 1200])).toEqual({ width: 32, height: 448, drawnOut: true });
    expect(shapeOf([4000, 2])).toEqual({ width: 448, height: 32, drawnOut: true });
    expect(shapeOf([100, 200])).toEqual({ width: 224, height: 448, drawnOut: false });
    expect(page.find(".scale").textContent).toContain("drawn out from 1 × 1200");
  });
});
