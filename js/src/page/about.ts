import { fields } from "../map/header";
import type { Store } from "../state/store";
import { make } from "../view/dom";

/** Where the map on display comes from, in a table below it. */
export function about(store: Store, provenance: Readonly<Record<string, unknown>>): void {
  const table = document.getElementById("provenance")!;
  let told: unknown;
  const tell = () => {
    const key = store.shown?.key ?? "";
    if (key === told) return;
    told = key;
    table.replaceChildren(
      ...rows(provenance[key]).map(([name, value]) =>
        make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)),
      ),
    );
  };
  store.audience.subscribe(tell);
  tell();
}

/** Nested values by their path, "versions torch". */
function rows(value: unknown, path = ""): [string, string][] {
  const nested = fields(value);
  if (!nested) return [[path, typeof value === "string" ? value : (JSON.stringify(value) ?? "")]];
  return Object.entries(nested).flatMap(([name, one]) =>
    rows(one, `${path} ${name.replaceAll("_", " ")}`.trim()),
  );
}
