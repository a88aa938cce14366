/** The committed libraries are of these sources, are the files that are pinned, and no kernel spills. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import process from "node:process";
import { computeBuildId } from "../scripts/toolchain/build_id.ts";
import type { Manifest } from "../scripts/toolchain/manifest.ts";
import { loadNative } from "../src/ffi/native.ts";
import { libraryFileName, type Platform } from "../src/ffi/platform.ts";
import { PREBUILT } from "../src/ffi/prebuilt.gen.ts";
import { readText, ROOT } from "./support/paths.ts";

/** With a library of his own a developer tests that; what is committed may lag behind until he commits his. */
const hasOwn = Boolean(process.env.FLASHPAGE_LIBRARY);

describe("native/prebuilt", { skip: hasOwn && "FLASHPAGE_LIBRARY names another library" }, () => {
  const manifest = (): Manifest => JSON.parse(readText("native/prebuilt/manifest.json"));

  it("is built from the sources as they stand", () => {
    const expected = computeBuildId(ROOT);
    for (const [platform, { buildId }] of Object.entries(manifest().libraries)) {
      assert.equal(buildId, expected, `the library for ${platform} is stale: run \`deno task build\` and commit`);
    }
  });

  it("holds the files that the manifest and src/ffi/prebuilt.gen.ts pin, and no others", () => {
    const { libraries } = manifest();
    assert.deepEqual(
      PREBUILT,
      Object.fromEntries(
        Object.entries(libraries).map(([platform, { sha256, bytes }]) => [platform, { sha256, bytes }]),
      ),
    );
    assert.ok("linux-x64" in libraries);
    const found = readdirSync(`${ROOT}/native/prebuilt`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile()).map((entry) =>
        entry.name === "manifest.json" ? "" : `${entry.parentPath}/${entry.name}`
      )
      .filter((path) => path !== "").sort();
    const expected = Object.entries(libraries).map(([platform, { file, sha256, bytes }]) => {
      const path = `${ROOT}/native/prebuilt/${platform}/${file}`;
      assert.equal(file, libraryFileName(platform as Platform));
      const content = readFileSync(path);
      assert.equal(content.length, bytes, path);
      assert.equal(createHash("sha256").update(content).digest("hex"), sha256, path);
      return path;
    }).sort();
    assert.deepEqual(found, expected);
  });

  it("does not say where it was built: the same sources give the same bytes anywhere", () => {
    for (const [platform, { file }] of Object.entries(manifest().libraries)) {
      const bytes = readFileSync(`${ROOT}/native/prebuilt/${platform}/${file}`);
      for (const path of ["native/prebuilt/", "native/build/", "/native/host/", "/native/cpu/"]) {
        assert.equal(bytes.indexOf(path), -1, `the library for ${platform} holds a path with ${path}`);
      }
    }
  });

  it("is what is loaded", async () => {
    assert.equal((await loadNative()).fp_build_id(), computeBuildId(ROOT));
  });

  it("has a record of every kernel for every architecture, and none spills", () => {
    const { kernels } = manifest();
    const units = readdirSync(`${ROOT}/native/cuda/kernels/instances`).filter((name) => name.endsWith(".cu"));
    const expected = units.map((name) => name.replace(/\.cu$/, "")).flatMap((name) =>
      name.startsWith("sm90_") ? [`${name} sm_90a`] : [`${name} sm_80`, `${name} sm_90a`]
    );
    assert.deepEqual([...new Set(kernels.map(({ module, arch }) => `${module} ${arch}`))].sort(), expected.sort());
    for (const { kernel, arch, registers, spillBytes, serialisesProducts } of kernels) {
      assert.equal(spillBytes, 0, `${kernel} (${arch}) spills`);
      assert.equal(serialisesProducts, false, `products of ${kernel} (${arch}) are serialised`);
      assert.ok(registers > 0 && registers <= 255, `${kernel} (${arch}): ${registers} registers`);
    }
  });
});
