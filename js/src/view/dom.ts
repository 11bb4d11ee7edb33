type Child = Node | string | null | undefined;
export type Attributes = Record<string, string | number | boolean | null | undefined>;

/** The element that a text such as "p.quiet.line" makes. */
type Made<S extends string> = S extends `${infer Tag}.${string}`
  ? Made<Tag>
  : S extends Tags
    ? HTMLElementTagNameMap[S]
    : never;
type Tags = keyof HTMLElementTagNameMap;

/**
 * An element from its tag and classes, "p.quiet.line", its attributes, and its children. Strings become text, never markup:
 * labels come from anywhere. No button of ours sends a form.
 */
export function make<S extends Tags | `${Tags}.${string}`>(
  spec: S,
  ...parts: (Child | Attributes)[]
): Made<S> {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag!);
  if (tag === "button") setAttribute(element, "type", tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const part of parts) {
    if (typeof part === "string" || part instanceof Node) {
      if (part) element.append(part);
    } else for (const [name, value] of Object.entries(part ?? {})) setAttribute(element, name, value);
  }
  return element as Made<S>;
}

/** A place for words or a number, found by its name; a screen reader says nothing of its changes: the live region does. */
export function output(name: string): HTMLOutputElement {
  return make("output", { "data-field": name, "aria-live": "off" });
}

/** Listens to an element of ours until it is gone: it goes with the view, and what it hears with it. */
export function listen<K extends keyof HTMLElementEventMap>(
  element: HTMLElement,
  event: K,
  action: (event: HTMLElementEventMap[K]) => unknown,
): void {
  element.addEventListener(event, action);
}

/** Sets, or for null and false takes off, and touches nothing that is as it should be. */
export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Where the focus of `element` is told: its shadow root, or the page. */
export function rootOf(element: Element): ShadowRoot | Document {
  const root = element.getRootNode();
  return "activeElement" in root ? (root as ShadowRoot | Document) : element.ownerDocument;
}

/** Calls `action` at most once a frame, with what there is then. */
export function oncePerFrame(signal: AbortSignal, action: () => void): () => void {
  let asked = false;
  return () => {
    if (asked || signal.aborted) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!signal.aborted) action();
    });
  };
}

let made = 0;

export function uniqueId(prefix: string): string {
  made += 1;
  return `${prefix}-${made}`;
}
