import { shorten } from "../map/format";
import type { Store } from "../state/store";
import { listen, make, rootOf, setAttribute, setText } from "./dom";
import { button } from "./fields";
import { titleOf, troubleWords } from "./notice";
import type { Scene } from "./scene";

/** What is on display, what is being computed, what went wrong; all of it in one place, so that little moves. */
export function makeNotices(store: Store, leave: () => void) {
  const subjectPart = make("strong", { "data-field": "subject" });
  const aboutPart = make("span", { "data-field": "about" });
  const title = make("h3.title", subjectPart, aboutPart);
  const lineText = make("p.quiet.line", { "data-field": "state" });
  const alert = make("p.alert", { role: "alert" });
  const stopButton = button("Stop", () => store.stop());
  const againButton = button("Go on", () => store.goOn());
  const sentence = make("p");
  const traceback = make("pre", { tabindex: 0, role: "region", "aria-label": "Traceback" });
  const details = make("details", make("summary.small", "Traceback"));
  details.append(make("div.sheet", sentence, traceback));
  listen(details, "toggle", () => {
    // The last line of a traceback says what happened.
    traceback.scrollTop = traceback.scrollHeight;
  });
  listen(details, "keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.querySelector("summary")?.focus();
  });
  const row = make("div.row", lineText, alert, stopButton, againButton, details);
  const element = make("div.notices", title, row);
  /** What got the focus of Stop, until Go on comes. */
  let left: Element | null = null;

  function update({ notice, drawn }: Scene): void {
    const { subject, about, line, hint, stop, again, trouble } = notice;
    setText(subjectPart, subject);
    setText(aboutPart, about && ` · ${about}`);
    setAttribute(title, "title", shorten(titleOf(notice), 300));
    const failed = trouble !== null && !stop;
    setText(lineText, line);
    setAttribute(lineText, "title", hint || line || null);
    lineText.hidden = failed;
    alert.hidden = !failed;
    const words = failed ? troubleWords(trouble, drawn) : "";
    setText(alert, words);
    setAttribute(alert, "title", words || null);
    setText(sentence, words);
    setText(traceback, trouble?.traceback ?? "");
    traceback.hidden = !trouble?.traceback;
    if (!failed) details.open = false;
    setText(againButton, again || "Go on");
    show(againButton, again !== "" && !failed);
    show(stopButton, stop);
    // It may come a moment after Stop went, and nobody has gone on from there.
    if (left && left === focused() && !againButton.hidden) againButton.focus();
    if (stop || !againButton.hidden) left = null;
    show(details, failed && (trouble.traceback !== "" || words.length > 80));
  }

  /** The focus must not fall out of the widget with the button that had it. */
  function show(part: HTMLElement, shown: boolean): void {
    if (part.hidden === !shown) return;
    const had = part.contains(focused());
    part.hidden = !shown;
    if (!had || shown) return;
    if (!againButton.hidden) againButton.focus();
    else {
      leave();
      if (part === stopButton) left = focused();
    }
  }

  function focused(): Element | null {
    return rootOf(element).activeElement;
  }

  return { element, update };
}
