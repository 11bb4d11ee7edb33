import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makeAudience } from "../src/state/audience";

let frames: (() => void)[];
const frame = () => {
  const now = frames;
  frames = [];
  for (const one of now) one();
};
beforeEach(() => {
  frames = [];
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (one: () => void) => frames.push(one));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("says that something is drawn right after the frame in which it is, and in no later one", () => {
  const audience = makeAudience(() => {});
  audience.setVisible({}, true);
  const said: string[] = [];
  audience.whenDrawn((visible) => said.push(`drawn ${visible}`));
  // What has come is told of afterwards.
  requestAnimationFrame(() => said.push("draws"));
  frame();
  expect(said).toEqual(["draws"]);
  vi.runAllTimers();
  expect(said).toEqual(["draws", "drawn true"]);
});

it("says at once that nobody can see it", () => {
  const said: boolean[] = [];
  makeAudience(() => {}).whenDrawn((visible) => said.push(visible));
  expect([said, frames]).toEqual([[false], []]);
});
