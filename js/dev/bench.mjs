// How long the pure parts take: `node js/dev/bench.mjs [16]`, where 16 leaves out what takes long.
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const outfile = join(here, "out", "bench.mjs");
await mkdir(dirname(outfile), { recursive: true });
await esbuild.build({
  entryPoints: [join(here, "bench.ts")],
  outfile,
  bundle: true,
  format: "esm",
  target: "es2022",
});
await import(outfile);
