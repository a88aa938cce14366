/** Finding the library: the override, the file beside the package, the fetch into a cache; and what each failure says. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { NativeLoadError } from "../../mod.ts";
import { loadNative } from "../../src/ffi/native.ts";
import { currentPlatform, libraryFileName } from "../../src/ffi/platform.ts";
import { copyPackage, LIBRARY_PATH, TemporaryFolder } from "../support/package_copy.ts";
import { type FolderServer, serveFolder } from "../support/serve.ts";
import { assertRefused } from "../support/refused.ts";
import { type Outcome, run, runScript, runtimeProgram } from "../support/subprocess.ts";

const { path: goodLibrary } = await loadNative();

/** Prints where the library was found, or the error's name and message. */
const OPEN = (mod: string): string => `
import { openDevice } from ${JSON.stringify(mod)};
try {
  using device = await openDevice({ backend: "cpu" });
  console.log("opened", device.native.path);
} catch (error) {
  console.log(error.name + ": " + error.message);
}
`;

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
}

describe("the library beside the package", () => {
  let folder: TemporaryFolder;
  const open = (env: Record<string, string | undefined> = {}): Promise<Outcome> =>
    runScript(`${folder.path}/open.ts`, { cwd: folder.path, env: { FLASHPAGE_LIBRARY: undefined, ...env } });
  before(() => {
    folder = new TemporaryFolder();
    copyPackage(folder.path);
    writeFileSync(`${folder.path}/open.ts`, OPEN("./mod.ts"));
    writeFileSync(`${folder.path}/no_library.so`, "this is no library\n");
  });
  after(() => folder[Symbol.dispose]());

  it("is found and verified", async () => {
    const { text } = await open();
    assert.equal(text.trim(), `opened ${folder.path}/${LIBRARY_PATH}`);
  });

  it("gives way to FLASHPAGE_LIBRARY, which is taken unverified", async () => {
    assert.equal((await open({ FLASHPAGE_LIBRARY: goodLibrary })).text.trim(), `opened ${goodLibrary}`);
    const missing = await open({ FLASHPAGE_LIBRARY: "/nowhere/lib.so" });
    assert.match(
      missing.text,
      /^NativeLoadError: .*FLASHPAGE_LIBRARY is "\/nowhere\/lib.so", and there is no such file/,
    );
    const wrong = await open({ FLASHPAGE_LIBRARY: `${folder.path}/no_library.so` });
    assert.match(
      wrong.text,
      /^NativeLoadError: Cannot open the native library .*no_library.so: [^]*no flashpage library/,
    );
  });

  it("is refused when it was tampered with, when it can't be read, and when it is missing", async () => {
    const path = `${folder.path}/${LIBRARY_PATH}`;
    const bytes = readFileSync(path);
    damage(path);
    assert.match(
      (await open()).text,
      /^NativeLoadError: .* is not the library this version was released with \(SHA-256 .*Reinstall the package/,
    );
    writeFileSync(path, bytes.subarray(0, 1000));
    assert.match((await open()).text, /^NativeLoadError: .* is not the library this version was released with/);
    rmSync(path);
    assert.match(
      (await open()).text,
      /^NativeLoadError: .*the library is at none of .*Reinstall the package, or set FLASHPAGE_LIBRARY/,
    );
    writeFileSync(path, bytes);
    chmodSync(path, 0o755);
    assert.match((await open()).text, /^opened/);
  });
});

describe("Deno's permissions for a package on disk", () => {
  it("are FFI and reading; each that is missing is named, and no other is asked for", async () => {
    using folder = new TemporaryFolder();
    copyPackage(folder.path);
    writeFileSync(`${folder.path}/open.ts`, OPEN("./mod.ts"));
    const open = (...flags: string[]): Promise<Outcome> =>
      run(runtimeProgram("deno"), ["run", "--no-prompt", "--no-check", "--quiet", ...flags, "open.ts"], {
        cwd: folder.path,
        env: { FLASHPAGE_LIBRARY: undefined },
      });
    assert.match((await open("--allow-ffi")).text, /^NativeLoadError: .*Run Deno with --allow-read/);
    assert.match((await open("--allow-read=.")).text, /^NativeLoadError: .*Run Deno with --allow-ffi/);
    const path = `${folder.path}/${LIBRARY_PATH}`;
    const limited = await open(`--allow-read=${path}`, `--allow-ffi=${path}`);
    assert.match(limited.text, /^NativeLoadError: .*Run Deno with --allow-ffi, not limited to a file/);
    assert.equal((await open(`--allow-read=${path}`, "--allow-ffi")).text.trim(), `opened ${path}`);
  });
});

describe("the library of a package that came over HTTP", () => {
  let served: TemporaryFolder;
  let cache: TemporaryFolder;
  let server: FolderServer;
  const fetches = (): number => server.requests.filter((path) => path.endsWith(`/${LIBRARY_PATH}`)).length;
  const cached = (): string[] =>
    existsSync(`${cache.path}/flashpage`)
      ? readdirSync(`${cache.path}/flashpage`, { recursive: true }).map(String).filter((name) => name.includes(".so"))
      : [];
  /** Only finds: the same in both runtimes, though only Deno imports over HTTP. */
  const find = (): Promise<Outcome> =>
    runScript(`${served.path}/find.ts`, { env: { FLASHPAGE_LIBRARY: undefined, XDG_CACHE_HOME: cache.path } });
  before(async () => {
    served = new TemporaryFolder();
    cache = new TemporaryFolder();
    copyPackage(served.path);
    server = await serveFolder(served.path);
    writeFileSync(
      `${served.path}/find.ts`,
      `
import { findLibrary } from "./src/ffi/library.ts";
try {
  console.log("found", await findLibrary("http://${server.host}/src/ffi/library.ts"));
} catch (error) {
  console.log(error.name + ": " + error.message);
}
`,
    );
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    served[Symbol.dispose]();
    cache[Symbol.dispose]();
  });

  it("is fetched once by processes that start together, and not again", async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, find));
    for (const { text } of outcomes) assert.match(text, new RegExp(`^found ${cache.path}/flashpage/[0-9a-f]{64}/`));
    assert.equal(cached().length, 1, `the cache holds ${cached()}`);
    const before = fetches();
    assert.ok(before >= 1);
    assert.equal((await find()).text, outcomes[0].text);
    assert.equal(fetches(), before, "a cached library was fetched again");
  });

  it("is fetched again when the cached file was tampered with", async () => {
    const path = `${cache.path}/flashpage/${cached()[0]}`;
    const good = readFileSync(path);
    damage(path);
    assert.match((await find()).text, /^found/);
    assert.deepEqual(readFileSync(path), good);
  });

  it("is refused when what is served was tampered with, and nothing is kept", async () => {
    rmSync(`${cache.path}/flashpage`, { recursive: true });
    const path = `${served.path}/${LIBRARY_PATH}`;
    const good = readFileSync(path);
    damage(path);
    assert.match(
      (await find()).text,
      /^NativeLoadError: .* is not the library this version was released with .*Nothing was kept/,
    );
    rmSync(path);
    assert.match(
      (await find()).text,
      /^NativeLoadError: .*fetching http:.* failed \(HTTP status 404\).*set FLASHPAGE_LIBRARY/,
    );
    assert.deepEqual(cached(), []);
    writeFileSync(path, good);
    assert.match((await find()).text, /^found/);
  });

  it("is opened by Deno with the flags that the README names; each flag that is missing is named", async () => {
    const { host } = server;
    const main = `http://${host}/open_http.ts`;
    writeFileSync(`${served.path}/open_http.ts`, OPEN("./mod.ts"));
    using modules = new TemporaryFolder();
    const env = { FLASHPAGE_LIBRARY: undefined, XDG_CACHE_HOME: cache.path, DENO_DIR: modules.path };
    const folder = `${cache.path}/flashpage`;
    const flags = {
      import: `--allow-import=${host}`,
      net: `--allow-net=${host}`,
      read: `--allow-read=${folder}`,
      write: `--allow-write=${folder}`,
      env: "--allow-env=FLASHPAGE_LIBRARY,XDG_CACHE_HOME,HOME",
      ffi: "--allow-ffi",
    };
    const open = (without?: keyof typeof flags): Promise<Outcome> => {
      const given = Object.entries(flags).filter(([name]) => name !== without).map(([, flag]) => flag);
      return run(runtimeProgram("deno"), ["run", "--no-prompt", "--no-check", "--quiet", ...given, main], { env });
    };
    rmSync(folder, { recursive: true, force: true });
    assert.match((await open("net")).text, new RegExp(`^NativeLoadError: .*Run Deno with --allow-net=${host}`));
    assert.match((await open("write")).text, /^NativeLoadError: .*Run Deno with --allow-write=/);
    assert.match((await open("read")).text, /^NativeLoadError: .*Run Deno with --allow-read=/);
    assert.match((await open("env")).text, /^NativeLoadError: .*--allow-env=HOME,XDG_CACHE_HOME/);
    assert.match((await open()).text, new RegExp(`^opened ${folder}/`));
    assert.match((await open("ffi")).text, /^NativeLoadError: .*Run Deno with --allow-ffi/);
    const before = fetches();
    assert.match((await open()).text, /^opened/);
    assert.equal(fetches(), before);
  });
});

describe("platforms", () => {
  it("without a prebuilt library are named, with what there is", () => {
    for (
      const [platform, arch] of [["win32", "x64"], ["darwin", "x64"], ["linux", "riscv64"], ["unknown", "unknown"]]
    ) {
      assertRefused(
        NativeLoadError,
        new RegExp(`no prebuilt library for ${platform}-${arch}. Built are linux-x64`),
        () => currentPlatform({ platform, arch }),
      );
    }
    assert.equal(currentPlatform({ platform: "linux", arch: "arm64" }), "linux-arm64");
    assert.equal(libraryFileName("darwin-arm64"), "libflashpage.dylib");
  });
});
