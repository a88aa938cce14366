/** Rules that hold for every file: layers import downwards only, files stay small, nothing names what is not ours to name. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readText, ROOT } from "./support/paths.ts";

/** Folders that are made, fetched or binary. */
const SKIPPED = new Set([".git", ".gpu", ".whl", ".cache", "node_modules", "dist", "native/build", "native/prebuilt"]);

function filesOf(folder = ""): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(`${ROOT}/${folder}`, { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (SKIPPED.has(path) || entry.name === "node_modules") continue;
    if (entry.isDirectory()) found.push(...filesOf(path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

const files = filesOf();
const sources = files.filter((path) => path === "mod.ts" || (path.startsWith("src/") && path.endsWith(".ts")));

/** The modules that a file imports, as paths from the root; those that are imported for their types alone apart. */
function importsOf(path: string): { values: string[]; types: string[] } {
  const found = { values: [] as string[], types: [] as string[] };
  const folder = path.replace(/[^/]*$/, "");
  for (const [, clause, specifier] of readText(path).matchAll(/^(?:import|export)\s([^;]*?)from "([^"]+)";/gms)) {
    if (!specifier.startsWith(".")) continue;
    const target = new URL(specifier, `file:///${folder}`).pathname.slice(1);
    const names = clause.replace(/[{}]/g, "").split(",").map((name) => name.trim()).filter((name) => name !== "");
    const isType = clause.startsWith("type ") ||
      (clause.includes("{") && names.every((name) => name.startsWith("type ")));
    (isType ? found.types : found.values).push(target);
  }
  return found;
}

describe("structure", () => {
  it("layers import downwards only, in the order of docs/architecture.md", () => {
    const order = [...readText("docs/architecture.md").matchAll(/^\| `src\/(\w+)\/`/gm)].map(([, name]) => name);
    const folders = new Set(sources.filter((path) => path.split("/").length > 2).map((path) => path.split("/")[1]));
    assert.deepEqual([...order].sort(), [...folders].sort(), "docs/architecture.md lists other folders than src/ has");
    for (const path of sources) {
      const layer = order.indexOf(path.split("/")[1]);
      const { values, types } = importsOf(path);
      for (const target of [...values, ...types]) {
        assert.ok(files.includes(target), `${path} imports ${target}, which is not there`);
        if (path === "mod.ts" || target === "src/errors.ts") continue;
        const other = order.indexOf(target.split("/")[1]);
        assert.ok(layer >= 0 && other >= layer, `${path} imports ${target}, which lies above it`);
      }
    }
  });

  it("no module needs itself by way of others", () => {
    const done = new Set<string>();
    const visit = (path: string, above: string[]): void => {
      assert.ok(!above.includes(path), `a cycle: ${[...above, path].join(" -> ")}`);
      if (done.has(path)) return;
      for (const target of importsOf(path).values) visit(target, [...above, path]);
      done.add(path);
    };
    for (const path of sources) visit(path, []);
    assert.equal(done.size, sources.length);
  });

  it("mod.ts exports and does nothing else", () => {
    const text = readText("mod.ts").replace(/\/\*[^]*?\*\//g, "").replace(
      /export (type )?(\{[^}]*\}|\*) from "[^"]+";/g,
      "",
    );
    assert.equal(text.trim(), "");
  });

  it("files are short enough to be read in one go", () => {
    // The ABI is one file by definition; generated files are not read.
    const exempt = /\.gen\.\w+$|^native\/flashpage\.h$/;
    const long = files.filter((path) => /\.(ts|cc|h|inl|cu|cuh)$/.test(path) && !exempt.test(path)).flatMap((path) => {
      const lines = readText(path).trimEnd().split("\n").length;
      const limit = path.startsWith("native/cuda/kernels/") ? 600 : 400;
      return lines > limit ? [`${path}: ${lines} lines, at most ${limit}`] : [];
    });
    assert.deepEqual(long, []);
  });

  it("no file names a registry's host or a folder outside the repository", () => {
    // Put together here, so that this file does not name them itself.
    const banned = [
      ["registry", "npmjs", "org"],
      ["registry", "yarnpkg", "com"],
      ["npmjs", "com"],
      ["npm", "jsr", "io"],
      ["pypi", "org"],
      ["pythonhosted", "org"],
    ].map((parts) => parts.join(".")).concat(["..", "work"].map((folder) => `${folder}/shared`));
    for (const path of files) {
      const text = readFileSync(`${ROOT}/${path}`, "latin1");
      for (const word of banned) assert.ok(!text.includes(word), `${path} names ${word}`);
    }
  });

  it("src/ loads nothing at import and has no imports from node:", () => {
    for (const path of sources) {
      const text = readText(path);
      assert.doesNotMatch(text, /(from|import)\s*\(?"(node|npm|jsr|bun|https?):/, path);
      assert.doesNotMatch(text, /^(const|let) .*= await |^await /m, `${path} awaits at import`);
    }
  });

  it("package.json, deno.json and their dependencies agree", () => {
    const [deno, npm] = [JSON.parse(readText("deno.json")), JSON.parse(readText("package.json"))];
    assert.equal(npm.version, deno.version);
    assert.equal(npm.name, deno.name);
    assert.equal(npm.dependencies, undefined, "the package itself depends on nothing");
    const pinned = Object.fromEntries(
      Object.entries(deno.imports as Record<string, string>).map((
        [name, specifier],
      ) => [name, specifier.replace(`npm:${name}@`, "")]),
    );
    assert.deepEqual(npm.devDependencies, pinned);
    for (const version of Object.values(pinned)) assert.match(version, /^\d+\.\d+\.\d+$/, "not pinned");
  });
});
