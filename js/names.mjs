// Which property names the bundle may shorten. What decides is types, so a new field of a message is safe when it is written.
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { SyntaxKind } from "typescript/unstable/ast";
import * as is from "typescript/unstable/ast/is";
import { API, TypeFlags } from "typescript/unstable/sync";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src") + sep;
/** What hosts give to the module's default export and take from it: declared here, but not ours. */
const HOST = [
  "initialize",
  "render",
  "model",
  "el",
  "signal",
  "get",
  "set",
  "on",
  "off",
  "send",
  "save_changes",
];
const UNTYPED = TypeFlags.Any | TypeFlags.Unknown;

/**
 * The names that are declared in js/src and nowhere else, in order. Left alone is every name that something else may know:
 * one that belongs to the platform anywhere, one that is read from data without a type, one of an object that is handed on
 * to where no type is said, one that is looked up by a text, and one that crosses to Python.
 */
export async function ownNames() {
  const api = new API({ cwd: here });
  try {
    const { program, checker } = api
      .updateSnapshot({ openProjects: [join(here, "tsconfig.json")] })
      .getProjects()[0];
    const reader = new Reader(checker);
    for (const name of program.getSourceFileNames()) {
      if (name.startsWith(source)) reader.read(program.getSourceFile(name));
    }
    for (const name of [...HOST, ...(await crossingNames())]) reader.foreign.add(name);
    return [...reader.own].filter((name) => !reader.foreign.has(name)).sort();
  } finally {
    api.close();
  }
}

/** The names of traits, and of what Python writes into dicts and reads from them. */
export async function crossingNames() {
  const found = new Set();
  for (const folder of ["widget", "export"].map((name) => join(here, "..", "saliency_widget", name)))
    for (const file of await readdir(folder)) {
      if (!file.endsWith(".py")) continue;
      const text = await readFile(join(folder, file), "utf8");
      const places = [
        /["'](\w+)["']\s*:/g,
        /\.get\(["'](\w+)["']/g,
        /\[["'](\w+)["']\]/g,
        /^ {4}(\w+)(?:: [^=]*)? = t\.\w+\(/gm,
      ];
      for (const place of places) for (const [, name] of text.matchAll(place)) found.add(name);
    }
  return found;
}

class Reader {
  own = new Set();
  foreign = new Set();

  constructor(checker) {
    this.checker = checker;
  }

  read(node) {
    if (is.isPropertyAccessExpression(node)) this.#named(node.name);
    else if (is.isElementAccessExpression(node)) this.#lookedUp(node.expression, node.argumentExpression);
    else if (is.isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.InKeyword) {
      this.#lookedUp(node.right, node.left);
    } else if (is.isObjectBindingPattern(node)) this.#taken(node);
    else if (is.isObjectLiteralExpression(node)) this.#made(node);
    else if (is.isCallExpression(node)) for (const one of node.arguments) this.#handed(one);
    else if (isMember(node)) this.#named(node.name);
    node.forEachChild((child) => void this.read(child));
  }

  #named(node) {
    if (is.isIdentifier(node)) this.#note(node.text, this.checker.getSymbolAtLocation(node));
  }

  #note(name, symbol) {
    const ours = symbol?.declarations.length && symbol.declarations.every(isOurs);
    (ours ? this.own : this.foreign).add(name);
  }

  #taken(pattern) {
    const type = this.checker.getTypeAtLocation(pattern);
    for (const { propertyName, name, dotDotDotToken } of pattern.elements) {
      const from = propertyName ?? name;
      if (!dotDotDotToken && is.isIdentifier(from))
        this.#note(from.text, type && this.#property(type, from.text));
    }
  }

  /** An object that is written down: what it is wanted as says whose its names are. */
  #made(literal) {
    const wanted = this.checker.getContextualType(literal);
    for (const one of literal.properties) {
      if (!one.name || !is.isIdentifier(one.name)) continue;
      this.own.add(one.name.text);
      for (const part of wanted ? parts(wanted) : []) {
        const symbol = this.#property(part, one.name.text);
        if (symbol) this.#note(one.name.text, symbol);
        else if (this.#isOpen(part)) {
          this.foreign.add(one.name.text);
          this.#spread(this.checker.getTypeAtLocation(one.initializer ?? one.name));
        }
      }
    }
  }

  #handed(argument) {
    const wanted = this.checker.getContextualType(argument);
    if (wanted && parts(wanted).some((part) => this.#isOpen(part)))
      this.#spread(this.checker.getTypeAtLocation(argument));
  }

  /** By a text that is known, that name; by any other, all names of the object. */
  #lookedUp(object, by) {
    const type = this.checker.getTypeAtLocation(by);
    const texts = type ? parts(type).filter(({ flags }) => !(flags & TypeFlags.NumberLike)) : [];
    for (const text of texts) if (text.isStringLiteralType()) this.foreign.add(text.value);
    if (!texts.every((text) => text.isStringLiteralType()))
      this.#spread(this.checker.getTypeAtLocation(object), true);
  }

  /** All names of a type and of what it holds are foreign; a class's are not, unless it is looked into itself. */
  #spread(type, classes = false, seen = new Set()) {
    for (const part of type ? parts(type) : []) {
      if (!(part.flags & TypeFlags.Object) || seen.has(part.id)) continue;
      seen.add(part.id);
      const isClass = part.getSymbol()?.declarations.some(({ kind }) => kind === SyntaxKind.ClassDeclaration);
      if (isClass && !classes) continue;
      for (const property of this.checker.getPropertiesOfType(part)) {
        if (!property.declarations.some(isOurs)) continue;
        this.foreign.add(property.name);
        this.#spread(this.checker.getTypeOfSymbol(property), false, seen);
      }
    }
  }

  #property(type, name) {
    return this.checker.getPropertyOfType(this.checker.getNonNullableType(type) ?? type, name);
  }

  /** Whether any name may be read from what is wanted here. */
  #isOpen(type) {
    return (type.flags & UNTYPED) !== 0 || this.checker.getIndexInfosOfType(type).length > 0;
  }
}

function isOurs({ path }) {
  // The compiler's paths are in lower case where the file system does not tell the two apart.
  return path.startsWith(source) || path.startsWith(source.toLowerCase());
}

function parts(type) {
  return type.isUnionType() ? type.getTypes() : [type];
}

function isMember(node) {
  return (
    is.isPropertySignatureDeclaration(node) ||
    is.isMethodSignatureDeclaration(node) ||
    is.isPropertyDeclaration(node) ||
    is.isMethodDeclaration(node) ||
    is.isGetAccessorDeclaration(node) ||
    is.isSetAccessorDeclaration(node) ||
    (is.isParameterDeclaration(node) && Boolean(node.modifiers?.length))
  );
}
