const ATTRIBUTE = "data-lm-suppress-shortcuts";
const TYPED = new Set(["text", "number", "search"]);

/**
 * Keeps keys from the notebook's shortcuts. In a shadow root events are retargeted to the host, so the mark belongs on `host`, the
 * element on which attachShadow was called. It comes off while Ctrl or Meta is held, so that saving works, but not while
 * a box is typed into: Ctrl+A and Ctrl+Z belong to the box.
 */
export function guardKeys(host: HTMLElement, root: ShadowRoot, signal: AbortSignal): void {
  const on = () => host.setAttribute(ATTRIBUTE, "true");
  const typing = () => root.activeElement instanceof HTMLInputElement && TYPED.has(root.activeElement.type);
  const held = (event: KeyboardEvent) => event.key === "Control" || event.key === "Meta";
  on();
  // The notebook listens on the document while the event goes down, so only an attribute set at an earlier key helps.
  host.addEventListener(
    "keydown",
    (event) => {
      if (held(event) && !typing()) host.removeAttribute(ATTRIBUTE);
    },
    { capture: true, signal },
  );
  host.addEventListener("keyup", (event) => held(event) && on(), { capture: true, signal });
  host.addEventListener("focusin", on, { signal });
  host.addEventListener("focusout", on, { signal });
  window.addEventListener("blur", on, { signal });
}
