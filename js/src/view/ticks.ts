import { number3, signed3 } from "../map/format";
import { type Axis, alongBar, positionAt } from "./axis";
import { make, setText } from "./dom";
import type { Drawn } from "./scene";
import { isOfScore } from "./words";

/** Numbers under the bar at the two ends of the colours and in the middle, and what the score does there. */
export function makeTicks() {
  const fromTick = makeTick("from");
  const middleTick = makeTick("mid");
  const toTick = makeTick("to");
  const element = make("div.ticks");
  element.append(fromTick.element, middleTick.element, toTick.element);

  function update(drawn: Drawn | null, axis: Axis): void {
    const says = drawn !== null && isOfScore(drawn.header);
    const [from, middle, to] = numbers(drawn);
    fromTick.say(from, says ? "lowers" : "");
    middleTick.say(middle);
    toTick.say(to, says ? "raises" : "");
    if (!drawn) return;
    const { sign } = drawn.field;
    const at = positionAt(axis, drawn.level);
    const along = alongBar(sign, at);
    fromTick.stand(sign === "signed" ? along[1]! : sign === "negative" ? along[0]! : 0);
    middleTick.stand(sign === "signed" ? 0.5 : alongBar(sign, positionAt(axis, drawn.level / 2))[0]!);
    toTick.stand(sign === "negative" ? 1 : along[0]!);
    // Where the clip leaves it no room, half the level is not said.
    middleTick.element.hidden = sign !== "signed" && at < 0.4;
  }

  return { element, update };
}

function numbers(drawn: Drawn | null): [string, string, string] {
  if (!drawn || drawn.field.finite === 0) return ["", "", ""];
  const { level, field } = drawn;
  if (level === 0) return field.sign === "absolute" ? ["0", "", ""] : ["", "0", ""];
  switch (field.sign) {
    case "signed":
      return [number3(-level), "0", signed3(level)];
    case "positive":
      return ["0", signed3(level / 2), signed3(level)];
    case "negative":
      return [number3(-level), number3(-level / 2), "0"];
    default:
      return ["0", number3(level / 2), number3(level)];
  }
}

/** A number under the bar, and what the score does there if the number has a sign. */
function makeTick(place: "from" | "mid" | "to") {
  const numberPart = make("span");
  const doesPart = make("span");
  /** Left out where the widget is narrow. */
  const what = make("span.long");
  const words = [doesPart, what];
  const parts = place === "to" ? [...words, numberPart] : [numberPart, ...words];
  const element = make("span", { class: place }, ...parts);

  function stand(along: number): void {
    element.style.setProperty("--along", String(along));
  }

  function say(number: string, does = ""): void {
    const signed = does !== "" && /^[\u2212+]/.test(number);
    setText(numberPart, number);
    setText(doesPart, !signed ? "" : place === "to" ? `${does} ` : ` ${does}`);
    setText(what, !signed ? "" : place === "to" ? "the score " : " the score");
  }

  return { element, stand, say };
}
