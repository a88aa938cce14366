/**
 * Every instruction set that this processor has, each in a process of its own, since the choice is made when a device opens. isa_program.ts has the cases:
 * what is at the edges of vectors, blocks and register tiles.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openDevice } from "../../mod.ts";
import { runScript } from "../support/subprocess.ts";

/** Values of FLASHPAGE_CPU_ISA and the level that the device then reports. */
const LEVELS: readonly (readonly [name: string, level: number])[] = process.arch === "arm64"
  ? [["scalar", 1], ["neon", 10]]
  : [["scalar", 1], ["avx2", 2], ["avx512", 3], ["amx", 4]];

async function bestLevel(): Promise<number> {
  using device = await openDevice({ backend: "cpu", numThreads: 1 });
  return device.facts.computeCapability;
}

const best = await bestLevel();

describe("instruction sets of the CPU", () => {
  it("has a best one among those known", () => {
    assert.ok(LEVELS.some(([, level]) => level === best), `the device reports level ${best}`);
  });
  for (const [name, level] of LEVELS) {
    if (level > best) continue;
    it(`${name}: attention, products, norm, activation, rotation and sampling are those of f64`, async () => {
      const program = fileURLToPath(new URL("isa_program.ts", import.meta.url));
      const { code, text } = await runScript(program, { env: { FLASHPAGE_CPU_ISA: name } });
      assert.equal(code, 0, text);
      assert.match(text, new RegExp(`^level ${level}: \\d+ cases$`, "m"));
    });
  }
});
