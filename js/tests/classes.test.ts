// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { type FakeModel, gradientMap, headerFor, pack } from "../dev/fake";
import { parseHeader } from "../src/map/header";
import { Labels } from "../src/map/labels";
import { namesOf } from "../src/view/words";
import { box, field, frame, INFO, LABELS, lastReq, model, press, SHAPE, show, type, withMap } from "./page";

/** What a key would replace. */
function selected(input: HTMLInputElement): string {
  return input.value.slice(input.selectionStart ?? 0, input.selectionEnd ?? 0);
}

function hold(fake: FakeModel, index: number): string {
  const { bytes, scale } = pack(gradientMap(SHAPE, index));
  const headers = fake.get("_maps") as unknown[];
  fake.set(`_slot_${headers.length}`, bytes);
  const header = headerFor(index, LABELS[index]!, SHAPE, scale, headers.length);
  fake.set("_maps", [...headers, header]);
  return header.key;
}

describe("the class box", () => {
  it("offers its whole name to the next search, after a choice, a stop and an error", async () => {
    const fake = model({ _info: INFO, _labels: LABELS });
    const page = show(fake);
    box(page).focus();
    type(page, "thing 7");
    press(page, "Enter");
    expect([box(page).value, selected(box(page))]).toEqual(["thing 7", "thing 7"]);
    fake.reply({ kind: "cancelled", req: lastReq(fake), reason: "stopped" });
    await frame();
    expect([box(page).value, selected(box(page))]).toEqual(["thing 1", "thing 1"]);
    type(page, "thing 8");
    press(page, "Enter");
    fake.reply({ kind: "error", req: lastReq(fake), message: "no", traceback: "" });
    await frame();
    expect([box(page).value, selected(box(page))]).toEqual(["thing 1", "thing 1"]);
    press(page, "ArrowDown");
    press(page, "Escape");
    box(page).setSelectionRange(2, 2);
    box(page).click();
    expect(selected(box(page))).toBe("thing 1");
  });

  it("has the number of classes for whoever empties it", () => {
    const page = show(model({ _info: INFO, _labels: LABELS }));
    expect(box(page).placeholder).toBe("Search 200 classes");
  });

  it("tells two classes of one label apart", () => {
    const page = show(model({ _info: INFO, _labels: LABELS }));
    type(page, "crane");
    expect([...page.root.querySelectorAll("[role=option] .name")].map((one) => one.textContent)).toEqual([
      "crane (34)",
      "crane (134)",
    ]);
    const names = [...page.root.querySelectorAll(".classes .name")].map((one) => one.textContent);
    expect(names).toEqual(["cat", "crane (134)"]);
    const header = headerFor(134, "crane", SHAPE, 1);
    const title = namesOf(parseHeader(header)!, new Labels(LABELS, 200));
    expect(title).toEqual({
      subject: "crane (134)",
      about: "gradient of the logit",
      score: "logit of crane (134)",
    });
  });

  it("says why nothing can be chosen when the kernel is gone, until it is heard of again", async () => {
    const fake = model({ _info: INFO, _labels: LABELS });
    const page = show(fake);
    const rest = page.find(".rest");
    expect(rest.hidden).toBe(true);
    fake.emit("comm_live_update");
    await frame();
    expect(field(page, "state")).toMatch(/^The kernel is gone\. Run the cell again/);
    expect(rest.hidden).toBe(false);
    expect(page.find<HTMLButtonElement>("button[data-index='134']").disabled).toBe(true);
    type(page, "thing 7");
    expect(page.find(".more").textContent).toBe(rest.textContent);
    press(page, "Enter");
    expect(fake.sent).toEqual([]);
    fake.set("_status", { state: "idle", again: true });
    await frame();
    expect(rest.hidden).toBe(true);
    expect(page.find<HTMLButtonElement>("button[data-index='134']").disabled).toBe(false);
  });
});

describe("a target that is not one class", () => {
  it("is named by its own words, and no class is said to be chosen", () => {
    const target = { kind: "contrast", index: null, label: "", text: "logit of cat minus logit of crane" };
    const page = show(model({ _info: INFO, _labels: LABELS, ...withMap(SHAPE, { target }) }));
    expect(page.find(".title").textContent).toBe("logit of cat minus logit of crane · gradient");
    expect(box(page).value).toBe("");
    expect(page.root.querySelector(".classes [aria-pressed=true]")).toBeNull();
  });
});

describe("the list of classes", () => {
  it("has the most probable and the five that were looked at last", async () => {
    const fake = model({ _info: INFO, _labels: LABELS });
    const page = show(fake);
    for (const index of [10, 11, 12, 13, 14, 15]) hold(fake, index);
    const key = hold(fake, 16);
    await frame();
    const listed = () =>
      [...page.root.querySelectorAll<HTMLElement>(".classes button")].map((one) => Number(one.dataset.index));
    expect(listed()).toEqual([1, 134, 12, 13, 14, 15, 16]);
    fake.set("shown", "gradient/logit/10");
    fake.set("shown", "gradient/logit/11");
    fake.set("shown", key);
    await frame();
    expect(listed()).toEqual([1, 134, 10, 11, 14, 15, 16]);
  });
});
