/** Whether the notebook around us is dark; null where nothing says so. */
function hostIsDark(): boolean | null {
  const { body, documentElement } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "false";
  for (const element of [body, documentElement]) {
    const kind = element.dataset.vscodeThemeKind ?? element.dataset.theme ?? "";
    if (/dark|black/.test(kind) || element.classList.contains("dark")) return true;
    if (/light/.test(kind) || element.classList.contains("light")) return false;
  }
  return null;
}

/** Marks `root` with the theme of what is around it, and keeps it so. */
export function followTheme(root: HTMLElement, signal: AbortSignal): void {
  const system = window.matchMedia?.("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = hostIsDark() ?? system?.matches ?? false;
    root.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  system?.addEventListener?.("change", apply, { signal });
  const watcher = new MutationObserver(apply);
  const attributeFilter = ["class", "data-jp-theme-light", "data-vscode-theme-kind", "data-theme"];
  for (const element of [document.body, document.documentElement]) {
    watcher.observe(element, { attributes: true, attributeFilter });
  }
  signal.addEventListener("abort", () => watcher.disconnect());
}
