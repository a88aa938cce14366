/** What is checked on a machine with a GPU, each as a command that prints counts. */

/** A check. */
export interface Check {
  readonly name: string;
  readonly runtime: "deno" | "bun";
  /** Arguments of the runtime. */
  readonly args: readonly string[];
  /** Settings, `FLASHPAGE_*`. */
  readonly env: Readonly<Record<string, string>>;
  /** A tool of NVIDIA's sanitizer to run it under. */
  readonly sanitizer?: "memcheck" | "racecheck";
  /** Passes by these words in its output, instead of by counts of tests. */
  readonly says?: RegExp;
}

const CUDA = { FLASHPAGE_TEST_BACKEND: "cuda" };
const SM80 = { ...CUDA, FLASHPAGE_CUDA_ARCH: "80" };
const CONFORMANCE = "tests/conformance/attention_test.ts";
const GPU_TESTS = [
  "tests/ops",
  "tests/kv_cache",
  "tests/device",
  "tests/bad_input",
  "tests/leaks",
  "tests/graphs",
  "tests/attention",
  "tests/planner/device_plan_test.ts",
  "tests/examples/graph_test.ts",
];
const MODEL = "tests/examples/smollm2_test.ts";
const PROMPT = ["--prompt", "What is the capital of France?", "--backend", "cuda"];

function tests(runtime: "deno" | "bun", paths: readonly string[]): string[] {
  return runtime === "deno" ? ["test", "-A", "--no-check", ...paths] : ["test", "--timeout", "600000", ...paths];
}

function ofRuntime(runtime: "deno" | "bun"): Check[] {
  const whole = (env: Record<string, string>, name: string): Check => ({
    name,
    runtime: "deno", // the script that starts the shards
    args: ["run", "-A", "scripts/conformance.ts", "--runtime", runtime],
    env,
  });
  return [
    whole(CUDA, `whole conformance table, ${runtime}`),
    {
      name: `operations, cache, device, bad input, leaks, graphs, ${runtime}`,
      runtime,
      args: tests(runtime, GPU_TESTS),
      env: CUDA,
    },
    { name: `model against the golden, CPU and CUDA, ${runtime}`, runtime, args: tests(runtime, [MODEL]), env: {} },
    {
      name: `demo, ${runtime}`,
      runtime,
      args: [...(runtime === "deno" ? ["run", "-A"] : []), "examples/generate.ts", ...PROMPT],
      env: {},
      says: /capital of France is Paris[^]*decode: \d+ tokens/,
    },
  ];
}

function sanitized(
  sanitizer: "memcheck" | "racecheck",
  shard: string,
  env: Record<string, string>,
  arch: string,
): Check {
  return {
    name: `attention under ${sanitizer}, ${arch}, sample ${shard}`,
    runtime: "deno",
    args: tests("deno", [CONFORMANCE]),
    env: { ...env, FLASHPAGE_SHARD: shard },
    sanitizer,
  };
}

/** All of them, the quick ones first. */
export const CHECKS: readonly Check[] = [
  ...ofRuntime("deno").slice(1),
  ...ofRuntime("bun").slice(1),
  ofRuntime("deno")[0],
  ofRuntime("bun")[0],
  {
    name: "whole conformance table with the sm_80 kernels, deno",
    runtime: "deno",
    args: ["run", "-A", "scripts/conformance.ts"],
    env: SM80,
  },
  sanitized("memcheck", "1/8", CUDA, "sm_90a"),
  sanitized("memcheck", "2/8", SM80, "sm_80"),
  sanitized("racecheck", "3/32", CUDA, "sm_90a"),
  sanitized("racecheck", "4/32", SM80, "sm_80"),
  ...(["memcheck", "racecheck"] as const).map((sanitizer): Check => ({
    name: `planning on the device under ${sanitizer}`,
    runtime: "deno",
    args: tests("deno", ["tests/planner/device_plan_test.ts"]),
    env: CUDA,
    sanitizer,
  })),
];
