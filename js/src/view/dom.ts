type Child = Node | string | null | undefined;
type Attributes = Record<string, string | number | boolean | null | undefined>;

/** An element with attributes and children. Strings become text, never markup: labels come from anywhere. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  for (const child of children) if (child) element.append(child);
  return element;
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
