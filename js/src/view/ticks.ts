import { number3, signed3 } from "../map/format";
import { type Axis, alongBar, positionAt } from "./axis";
import { make, setText } from "./dom";
import type { Drawn } from "./scene";
import { isOfScore } from "./words";

/** Numbers under the bar at the two ends of the colours and in the middle, and what the score does there. */
export class Ticks {
  readonly element: HTMLElement;
  readonly #from = new Tick("from");
  readonly #middle = new Tick("mid");
  readonly #to = new Tick("to");

  constructor() {
    this.element = make("div", { class: "ticks" });
    this.element.append(this.#from.element, this.#middle.element, this.#to.element);
  }

  update(drawn: Drawn | null, axis: Axis): void {
    const says = drawn !== null && isOfScore(drawn.header);
    const [from, middle, to] = numbers(drawn);
    this.#from.say(from, says ? "lowers" : "");
    this.#middle.say(middle);
    this.#to.say(to, says ? "raises" : "");
    if (!drawn) return;
    const { sign } = drawn.field;
    const at = positionAt(axis, drawn.level);
    const along = alongBar(sign, at);
    this.#from.stand(sign === "signed" ? along[1]! : sign === "negative" ? along[0]! : 0);
    this.#middle.stand(sign === "signed" ? 0.5 : alongBar(sign, positionAt(axis, drawn.level / 2))[0]!);
    this.#to.stand(sign === "negative" ? 1 : along[0]!);
    // Where the clip leaves it no room, half the level is not said.
    this.#middle.element.hidden = sign !== "signed" && at < 0.4;
  }
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
class Tick {
  readonly element: HTMLElement;
  readonly #number = make("span");
  readonly #does = make("span");
  /** Left out where the widget is narrow. */
  readonly #what = make("span", { class: "long" });

  constructor(readonly place: "from" | "mid" | "to") {
    const words = [this.#does, this.#what];
    const parts = place === "to" ? [...words, this.#number] : [this.#number, ...words];
    this.element = make("span", { class: place }, ...parts);
  }

  stand(along: number): void {
    this.element.style.setProperty("--along", String(along));
  }

  say(number: string, does = ""): void {
    const signed = does !== "" && /^[\u2212+]/.test(number);
    setText(this.#number, number);
    setText(this.#does, !signed ? "" : this.place === "to" ? `${does} ` : ` ${does}`);
    setText(this.#what, !signed ? "" : this.place === "to" ? "the score " : " the score");
  }
}
