/** The package as its users get it: packed, added to an empty folder, imported by each runtime, type-checked, compiled into a binary. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { copyPackage, LIBRARY_PATH, TemporaryFolder } from "../support/package_copy.ts";
import { readText, ROOT } from "../support/paths.ts";
import { run, RUNTIME, runtimeProgram } from "../support/subprocess.ts";

const CONSUMER = `
import { BatchAttention, openDevice, PagedKvCache } from "flashpage";

const device = await openDevice({ backend: "cpu" });
const cache = new PagedKvCache(device, { numPages: 4, pageSize: 16, numKvHeads: 2, headDim: 64, dtype: "bf16" });
const chat = cache.createSequence();
const k = device.fromArray(new Float32Array(256).fill(1), "bf16", [2, 2, 64]);
cache.append([chat], { k, v: k });
const attention = new BatchAttention(device, { numQoHeads: 4, numKvHeads: 2, headDim: 64, dtype: "bf16", causal: true });
attention.plan({ qoIndptr: [0, 1], pages: cache.pageTable([chat]) });
const out = attention.run({ q: device.fromArray(new Float32Array(256), "bf16", [1, 4, 64]), cache });
const values = await out.read();
console.log("attention gave", values[0], "from", device.native.path);
device.dispose();
`;

/** Does the package its users' way work where there is nothing else? Their own settings must not leak in. */
const CLEAN = { FLASHPAGE_LIBRARY: undefined };

describe("the package", () => {
  let source: TemporaryFolder;
  let consumer: TemporaryFolder;
  before(async () => {
    source = new TemporaryFolder();
    copyPackage(source.path);
    const build = ["run", "-A", "--quiet", `${ROOT}/scripts/build_package.ts`, "--root", source.path];
    const built = await run(runtimeProgram("deno"), build, { cwd: ROOT });
    assert.equal(built.code, 0, built.text);
    const packed = await run(runtimeProgram("bun"), ["pm", "pack"], { cwd: source.path });
    assert.equal(packed.code, 0, packed.text);
    consumer = new TemporaryFolder();
    const archive = readdirSync(source.path).find((name) => name.endsWith(".tgz"));
    assert.equal(archive, `flashpage-${JSON.parse(readText("package.json")).version}.tgz`);
    renameSync(`${source.path}/${archive}`, `${consumer.path}/${archive}`);
    const added = await run(runtimeProgram("bun"), ["add", `./${archive}`], { cwd: consumer.path });
    assert.equal(added.code, 0, added.text);
    writeFileSync(`${consumer.path}/app.ts`, CONSUMER);
    writeFileSync(`${consumer.path}/app.mjs`, CONSUMER);
  });
  after(() => {
    source[Symbol.dispose]();
    consumer[Symbol.dispose]();
  });

  const installed = (): string => `${consumer.path}/node_modules/flashpage`;

  it("holds what it needs and nothing of the workshop", () => {
    const names = readdirSync(installed()).sort();
    const expected = ["LICENSE", "README.md", "bun.ts", "dist", "mod.ts", "native", "package.json", "src"];
    assert.deepEqual(names.filter((name) => !expected.includes(name) && name !== ".bun-tag"), []);
    for (const name of ["bun.ts", "mod.ts", "dist/mod.js", "dist/mod.d.ts", "src", LIBRARY_PATH, "LICENSE"]) {
      assert.ok(statSync(`${installed()}/${name}`).size > 0, name);
    }
    const all = readdirSync(installed(), { recursive: true }).map(String);
    assert.deepEqual(all.filter((name) => /_test\.|\.(cc|cu|cuh|inl)$/.test(name)), []);
  });

  it("runs in Bun, from its sources", async () => {
    const { code, text } = await run(runtimeProgram("bun"), ["app.ts"], { cwd: consumer.path, env: CLEAN });
    assert.equal(text.trim(), `attention gave 1 from ${installed()}/${LIBRARY_PATH}`);
    assert.equal(code, 0);
  });

  it("runs in Deno, from dist", async () => {
    const args = ["run", "--quiet", "--node-modules-dir=manual", "-A", "app.ts"];
    const { code, text } = await run(runtimeProgram("deno"), args, { cwd: consumer.path, env: CLEAN });
    assert.equal(text.trim(), `attention gave 1 from ${installed()}/${LIBRARY_PATH}`);
    assert.equal(code, 0);
  });

  it("needs no permission but FFI and reading in Deno", async () => {
    const args = [
      "run",
      "--quiet",
      "--no-prompt",
      "--node-modules-dir=manual",
      "--allow-ffi",
      "--allow-read=.",
      "app.ts",
    ];
    const { text } = await run(runtimeProgram("deno"), args, { cwd: consumer.path, env: CLEAN });
    assert.equal(text.trim(), `attention gave 1 from ${installed()}/${LIBRARY_PATH}`);
  });

  it("can be imported by Node, which has no FFI to bind: the error says so", async () => {
    const { code, text } = await run("node", ["app.mjs"], { cwd: consumer.path, env: CLEAN });
    assert.notEqual(code, 0);
    assert.match(text, /NativeLoadError.*this runtime has no FFI that flashpage binds. Run the program with Deno/);
  });

  it("passes a consumer's tsc --strict without any type packages", async () => {
    for (const lib of [["esnext"], ["es2022", "esnext.disposable", "dom"]]) {
      const options = {
        strict: true,
        noEmit: true,
        types: [],
        lib,
        target: "es2022",
        module: "nodenext",
        skipLibCheck: false,
      };
      const folder = `${consumer.path}/types`;
      mkdirSync(folder, { recursive: true });
      const declarations = "declare const console: { log(...values: unknown[]): void };\n";
      writeFileSync(`${folder}/app.mts`, CONSUMER + (lib.includes("dom") ? "" : declarations));
      writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions: options, files: ["app.mts"] }));
      const { code, text } = await tsc(["-p", folder], consumer.path);
      assert.equal(code, 0, text);
    }
    writeFileSync(
      `${consumer.path}/types/app.mts`,
      `import { openDevice } from "flashpage";\nawait openDevice({ backend: "metal" });\n`,
    );
    const { code, text } = await tsc(["-p", `${consumer.path}/types`], consumer.path);
    assert.notEqual(code, 0);
    assert.match(text, /TS2322.*"metal"/, "types are not checked at all");
  });

  it("goes into a binary of bun build --compile, library and all, that runs away from its sources", async () => {
    const built = await run(runtimeProgram("bun"), ["build", "--compile", "app.ts", "--outfile", "app"], {
      cwd: consumer.path,
    });
    assert.equal(built.code, 0, built.text);
    using elsewhere = new TemporaryFolder();
    renameSync(`${consumer.path}/app`, `${elsewhere.path}/app`);
    renameSync(`${consumer.path}/node_modules`, `${consumer.path}/node_modules.gone`);
    try {
      const { code, text } = await run(`${elsewhere.path}/app`, [], { cwd: elsewhere.path, env: CLEAN });
      assert.match(text, /^attention gave 1 from \/\$bunfs\//);
      assert.equal(code, 0);
    } finally {
      renameSync(`${consumer.path}/node_modules.gone`, `${consumer.path}/node_modules`);
    }
  });

  it("goes into a bundle of bun build, the library beside it", async () => {
    const built = await run(runtimeProgram("bun"), ["build", "--target=bun", "app.ts", "--outdir", "with space"], {
      cwd: consumer.path,
    });
    assert.equal(built.code, 0, built.text);
    const { text } = await run(runtimeProgram("bun"), ["with space/app.js"], { cwd: consumer.path, env: CLEAN });
    assert.match(text, /^attention gave 1 from .*\/with space\/libflashpage/);
  });
});

/** TypeScript's own compiler, of the version that the repository pins. */
function tsc(args: string[], cwd: string): ReturnType<typeof run> {
  if (RUNTIME === "bun") {
    return run(runtimeProgram("bun"), [`${ROOT}/node_modules/typescript/lib/tsc.js`, ...args], { cwd });
  }
  const { typescript } = JSON.parse(readText("package.json")).devDependencies;
  return run(runtimeProgram("deno"), [
    "run",
    "-A",
    "--quiet",
    "--no-config",
    `npm:typescript@${typescript}/tsc`,
    ...args,
  ], { cwd });
}
