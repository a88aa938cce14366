/** The unpacker of the embedded kernels, compiled alone with the machine's C++ compiler, against an independent packer. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import { ROOT } from "../support/paths.ts";
import { Random } from "../support/random.ts";

/** Reads packed bytes, writes what they unpack to, or fails. */
const PROGRAM = `
#include <cstdio>
#include <cstdlib>
#include <vector>
#include "${ROOT}/native/host/inflate.h"
int main(int, char **arguments) {
  std::vector<unsigned char> packed, data(strtoull(arguments[1], nullptr, 10));
  for (int byte; (byte = getchar()) != EOF;) packed.push_back(static_cast<unsigned char>(byte));
  if (!fp::inflate(packed.data(), packed.size(), data.data(), data.size())) return 3;
  if (!data.empty()) fwrite(data.data(), 1, data.size(), stdout);
}`;

const compiler = ["c++", "g++", "clang++"].find((name) => spawnSync(name, ["--version"]).status === 0);

describe("inflate", { skip: compiler === undefined }, () => {
  const folder = mkdtempSync(`${tmpdir()}/flashpage-inflate-`);
  const program = `${folder}/inflate`;
  const unpack = (packed: Uint8Array, size: number): Uint8Array | undefined => {
    const { status, stdout } = spawnSync(program, [String(size)], { input: packed, maxBuffer: 1 << 26 });
    assert.ok(status === 0 || status === 3, `the program ended with ${status}`);
    return status === 0 ? new Uint8Array(stdout) : undefined;
  };
  const random = new Random(5);
  const bytes = (count: number, letters: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => random.integer(0, letters - 1));
  const samples = [bytes(0, 1), bytes(1, 256), bytes(70000, 256), bytes(40000, 3), new Uint8Array(100000).fill(7)];

  it("compiles", () => {
    writeFileSync(`${program}.cc`, PROGRAM);
    const flags = ["-std=c++17", "-O2", "-fsanitize=undefined", "-fno-sanitize-recover"];
    const sources = [`${program}.cc`, `${ROOT}/native/host/inflate.cc`];
    const { status, stderr } = spawnSync(compiler!, [...flags, "-o", program, ...sources]);
    assert.equal(status, 0, String(stderr));
  });

  it("gives back what was packed, stored, fixed or with codes of its own", () => {
    for (const data of samples) {
      for (const level of [0, 1, 9]) {
        // Strategy 4: fixed codes.
        for (const strategy of [0, 4]) {
          assert.deepEqual(unpack(deflateRawSync(data, { level, strategy }), data.length), data);
        }
      }
    }
  });

  it("refuses another length and streams that are cut off, and survives damaged ones", () => {
    const data = samples[3];
    const packed = new Uint8Array(deflateRawSync(data));
    assert.equal(unpack(packed, data.length - 1), undefined);
    assert.equal(unpack(packed, data.length + 1), undefined);
    for (let i = 0; i < 20; i++) {
      assert.equal(unpack(packed.subarray(0, random.integer(0, packed.length - 2)), data.length), undefined);
      const damaged = packed.slice();
      damaged[random.integer(0, packed.length - 1)] ^= 1 << random.integer(0, 7);
      unpack(damaged, data.length);
    }
    rmSync(folder, { recursive: true });
  });
});
