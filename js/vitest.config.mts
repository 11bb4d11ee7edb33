import { readFile } from "node:fs/promises";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    {
      name: "css-as-text",
      enforce: "pre",
      resolveId: (id, importer) =>
        id.endsWith(".css") && importer ? `${new URL(id, `file://${importer}`).pathname}.text` : null,
      load: async (id) =>
        id.endsWith(".css.text")
          ? `export default ${JSON.stringify(await readFile(id.slice(0, -5), "utf8"))}`
          : null,
    },
  ],
  test: { include: ["tests/**/*.test.ts"] },
});
