import { afterEach, beforeEach, vi } from "vitest";
import { FakeModel, gradientMap, headerFor, pack, single } from "../dev/fake";
import widget from "../src/index";

/** The widget on a made-up page, for tests in happy-dom. */

export const SHAPE = [3, 8, 8] as const;

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

/** Browser parts that happy-dom lacks. */
beforeEach(() => {
  vi.stubGlobal("ResizeObserver", Quiet);
  vi.stubGlobal("IntersectionObserver", Quiet);
  vi.stubGlobal("ImageData", Picture);
});

/** What a test put on the page: taken down with it, so that no timer of a view outlives the page itself. */
const shown: (() => void)[] = [];

afterEach(() => {
  for (const close of shown.splice(0)) close();
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

export function model(more: Record<string, unknown> = {}): FakeModel {
  const { bytes, scale } = pack(gradientMap(SHAPE, 1));
  const state: Record<string, unknown> = {
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
  };
  return new FakeModel(single(state));
}

export function show(fake: FakeModel, signal?: AbortSignal) {
  const el = document.body.appendChild(document.createElement("div"));
  const close = widget.render({ model: fake, el, ...(signal ? { signal } : {}) });
  shown.push(close);
  const host = el.firstElementChild as HTMLElement;
  const root = host.shadowRoot!;
  const find = <E extends HTMLElement>(selector: string) => root.querySelector<E>(selector)!;
  return { el, host, root, find, close };
}

export const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 5)));

/** A model of two hundred classes, of which two are called crane. */
export const INFO = {
  picture: { width: 8, height: 8 },
  channels: ["R", "G", "B"],
  classes: 200,
  prediction: [
    { index: 1, label: "cat", probability: 0.5 },
    { index: 134, label: "crane", probability: 0.03 },
  ],
};
export const LABELS = Array.from({ length: 200 }, (_, i) => (i % 100 === 34 ? "crane" : `thing ${i}`));

export type Page = ReturnType<typeof show>;

export function field({ find }: Page, name: string): string {
  return find(`[data-field=${name}]`).textContent ?? "";
}

export function box({ find }: Page): HTMLInputElement {
  return find<HTMLInputElement>("[role=combobox]");
}

export function type(page: Page, text: string): void {
  box(page).value = text;
  box(page).dispatchEvent(new Event("input"));
}

export function press(page: Page, key: string): void {
  box(page).dispatchEvent(new KeyboardEvent("keydown", { key }));
}

export function withMap(
  shape: readonly [number, number, number],
  more: object = {},
  values = gradientMap(shape, 1),
) {
  const { bytes, scale } = pack(values);
  return { _maps: [{ ...headerFor(1, "cat", shape, scale, 0), ...more }], _slot_0: bytes };
}

export const lastReq = (fake: FakeModel) => (fake.sent.at(-1) as { req: string }).req;
