// Bundles the front end: `node js/build.mjs [--watch | --dev]`. One file for notebooks and one for pages without a kernel,
// styles and colour tables inside.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { minify } from "terser";
import { crossingNames, ownNames } from "./names.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(here, "..", "saliency_widget", "static");
const outfile = join(folder, "widget.js");
// The aim is 120,000 and 40,000, see CONTRIBUTING.md. This keeps it from growing further.
const LIMIT = { minified: 153_000, gzip: 58_500 };

const cssAsText = {
  name: "css-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

const options = {
  entryPoints: [join(here, "src", "index.ts")],
  outfile,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  minify: true,
  plugins: [cssAsText],
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  await (await esbuild.context({ ...options, minify: false })).watch();
} else if (process.argv.includes("--dev")) {
  const entryPoints = [join(here, "dev", "harness.ts")];
  await esbuild.build({
    ...options,
    entryPoints,
    outfile: join(here, "dev", "out", "harness.js"),
    minify: false,
    format: "iife",
  });
} else {
  const short = new RegExp(`^(?:${(await ownNames()).join("|")})$`);
  const code = await tightened(await bundled(short, {}));
  const page = { entryPoints: [join(here, "src", "page", "index.ts")], format: "iife" };
  await mkdir(folder, { recursive: true });
  await writeFile(outfile, code);
  await writeFile(join(folder, "page.js"), await tightened(await bundled(short, page)));
  const minified = Buffer.byteLength(code);
  const gzip = gzipSync(code, { level: 9 }).length;
  console.log(`widget.js: ${minified} bytes, ${gzip} gzipped`);
  if (minified > LIMIT.minified || gzip > LIMIT.gzip) {
    fail(`too large: at most ${LIMIT.minified} bytes and ${LIMIT.gzip} gzipped`);
  }
}

/** With the names of our own properties made short; `--dev` and `--watch` leave them as they are written. */
async function bundled(mangleProps, more) {
  const [plain, short] = await Promise.all([bundle(more), bundle({ ...more, mangleProps })]);
  // One or two letters are also what variables are called.
  const crossing = [...(await crossingNames())].filter((name) => name.length > 2);
  const lost = crossing.filter((name) => occurrences(plain, name) !== occurrences(short, name));
  if (lost.length > 0) fail(`these names cross to Python and were shortened: ${lost.join(", ")}`);
  return short;
}

/** A second minifier finds what the first leaves: functions called once, values that are known, names by their scope. */
async function tightened(code) {
  const { code: tight } = await minify(code, {
    module: true,
    ecma: 2022,
    // No function of ours is called with new, so that methods and arrows may be written in their short form.
    compress: { passes: 3, hoist_funs: true, unsafe_methods: true, unsafe_arrows: true },
    format: { ecma: 2022 },
  });
  return tight;
}

async function bundle(more) {
  const { outputFiles } = await esbuild.build({ ...options, ...more, write: false });
  return outputFiles[0].text;
}

function occurrences(code, name) {
  return code.split(new RegExp(`(?<![\\w$])${name}(?![\\w$])`)).length;
}

function fail(why) {
  console.error(why);
  process.exit(1);
}
