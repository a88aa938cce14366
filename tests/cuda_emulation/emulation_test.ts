/**
 * The CUDA kernels and their launchers on the emulated GPU (docs/emulation.md), by the tests that a GPU has to pass: each suite in processes of its own,
 * since the driver is chosen when the library loads. In the end every kernel has run.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import type { Manifest } from "../../scripts/toolchain/manifest.ts";
import { readText, ROOT } from "../support/paths.ts";
import { type Outcome, run, RUNTIME } from "../support/subprocess.ts";
import { buildEmulation } from "./build.ts";
import { whyNotHere } from "./where.ts";

type Environment = Record<string, string | undefined>;

interface Suite {
  name: string;
  arch: 80 | 90;
  paths: string[];
  env?: Environment;
}

const CONFORMANCE = { FLASHPAGE_CONFORMANCE: "small" };
const OPERATIONS = [
  "tests/ops",
  "tests/kv_cache",
  "tests/formats",
  "tests/trace",
  "tests/device/tensor_test.ts",
  "tests/planner/device_plan_test.ts",
];
/** Kernels for Ampere are the same for Hopper but for their tiles, so the second architecture has less. */
const DENO_SUITES: Suite[] = [
  { name: "attention", arch: 90, paths: ["tests/conformance"], env: CONFORMANCE },
  { name: "attention", arch: 80, paths: ["tests/conformance"], env: CONFORMANCE },
  {
    name: "half of attention in another order, everything as late as allowed",
    arch: 90,
    paths: ["tests/conformance"],
    env: { ...CONFORMANCE, FLASHPAGE_EMULATED_SEED: "2", FLASHPAGE_EMULATED_ASYNC: "late", FLASHPAGE_SHARD: "1/2" },
  },
  {
    name: "the other half in another order, everything at once",
    arch: 90,
    paths: ["tests/conformance"],
    env: { ...CONFORMANCE, FLASHPAGE_EMULATED_SEED: "3", FLASHPAGE_EMULATED_ASYNC: "early", FLASHPAGE_SHARD: "2/2" },
  },
  { name: "operations", arch: 80, paths: OPERATIONS },
  { name: "operations", arch: 90, paths: OPERATIONS },
  {
    name: "bad input, leaks, graphs, NaN",
    arch: 90,
    paths: ["tests/bad_input", "tests/leaks", "tests/graphs", "tests/attention", "tests/examples/graph_test.ts"],
  },
];
/** The runtime makes no difference to kernels: enough to see that it calls them. */
const BUN_SUITES: Suite[] = [
  {
    name: "some attention",
    arch: 90,
    paths: ["tests/conformance"],
    env: { ...CONFORMANCE, FLASHPAGE_SHARD: "1/12" },
  },
  { name: "the cache", arch: 80, paths: ["tests/kv_cache/paged_kv_cache_test.ts"] },
];
const SUITES = RUNTIME === "deno" ? DENO_SUITES : BUN_SUITES;

/** Products of f32 are for the CPU alone; of CUDA's, no function of the package makes them. */
const NEVER_CALLED = ["linear_any_rows_f32", "linear_any_tile_f32"];

const skip = whyNotHere();

describe("the emulated GPU", { skip }, () => {
  const outcomes = new Map<Suite, Promise<Outcome>>();
  let logs: string;

  // All are started at once, as many side by side as there are cores; the tests below wait for them in turn.
  before(async () => {
    logs = mkdtempSync(`${tmpdir()}/flashpage-emulation-`);
    const folder = await buildEmulation();
    const lanes = Array.from({ length: availableParallelism() }, () => Promise.resolve());
    SUITES.forEach((suite, i) => {
      const lane = i % lanes.length;
      const outcome = lanes[lane].then(() => runSuite(suite, folder));
      outcomes.set(suite, outcome);
      lanes[lane] = outcome.then(() => {}, () => {});
    });
  }, { timeout: 900_000 });
  after(() => rmSync(logs, { recursive: true }));

  function runSuite({ arch, paths, env }: Suite, folder: string): Promise<Outcome> {
    const args = RUNTIME === "deno"
      ? ["test", "-A", "--no-check", ...paths]
      : ["test", "--timeout", "600000", ...paths];
    return run(process.execPath, args, {
      cwd: ROOT,
      env: {
        LD_LIBRARY_PATH: folder,
        FLASHPAGE_TEST_BACKEND: "cuda",
        FLASHPAGE_CUBLASLT: "off",
        FLASHPAGE_CUDA_ARCH: undefined,
        FLASHPAGE_EMULATED_ARCH: String(arch),
        FLASHPAGE_EMULATED_SMS: undefined,
        FLASHPAGE_EMULATED_SEED: undefined,
        FLASHPAGE_EMULATED_ASYNC: undefined,
        FLASHPAGE_EMULATED_LOG: `${logs}/${arch}`,
        ...env,
      },
    });
  }

  for (const suite of SUITES) {
    it(`sm_${suite.arch}: ${suite.name}`, { timeout: 900_000 }, async () => {
      const { code, text } = await outcomes.get(suite)!;
      // The end says what failed; what a kernel did wrong is said where it happened.
      assert.equal(code, 0, `${text.match(/^.*CUDA emulation: [^]{0,4000}/m)?.[0] ?? ""}\n${text.slice(-4000)}`);
    });
  }

  for (const arch of [80, 90] as const) {
    it(`sm_${arch}: every kernel has run`, { skip: RUNTIME !== "deno" }, () => {
      assert.ok(existsSync(`${logs}/${arch}`), "no kernel has run");
      const launched = new Set(readFileSync(`${logs}/${arch}`, "utf8").trim().split("\n"));
      const { kernels } = JSON.parse(readText("native/prebuilt/manifest.json")) as Manifest;
      const mine = kernels.filter((record) => record.arch === (arch === 90 ? "sm_90a" : "sm_80"));
      const idle = mine.map(({ kernel }) => kernel).filter((kernel) => !launched.has(kernel));
      assert.deepEqual(idle.sort(), NEVER_CALLED);
    });
  }
});
