/**
 * The whole test suite: formatting, lint, types and documentation, then every test under Deno and under Bun. The last line is
 * `N passed, N failed`, over both runtimes, each check counted as one.
 *
 *   deno task test               everything
 *   deno task test tests/ops     the tests of some folders or files, without the checks
 *
 * Bun is taken from PATH if it is the version that is tested with, else installed by npm into .cache/.
 */
import { findBun } from "./test_tools/find_bun.ts";
import { type Counts, countsOfBun, countsOfDeno, failuresIn } from "./test_tools/read_summary.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const deno = Deno.execPath();
const paths = Deno.args.length > 0 ? Deno.args : ["tests/"];
const total: Counts = { passed: 0, failed: 0 };

async function step(
  name: string,
  program: string,
  args: readonly string[],
  countsOf: (output: string, success: boolean) => Counts,
  env: Record<string, string> = {},
): Promise<void> {
  const start = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: root,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counts = countsOf(output, success);
  // A runner that fails without counting a failure (it crashed, it found nothing) has failed all the same.
  if (!success && counts.failed === 0) counts.failed = 1;
  total.passed += counts.passed;
  total.failed += counts.failed;
  if (!success) console.log(failuresIn(output));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${success ? "ok" : "FAILED"} ${name}: ${counts.passed} passed, ${counts.failed} failed (${seconds} s)`);
}

const one = (_: string, success: boolean): Counts => ({ passed: success ? 1 : 0, failed: success ? 0 : 1 });

const bun = await findBun(root);
if (Deno.args.length === 0) {
  await step("deno fmt --check", deno, ["fmt", "--check"], one);
  await step("deno lint", deno, ["lint"], one);
  await step("deno check", deno, ["task", "check"], one);
  await step("deno doc --lint", deno, ["doc", "--lint", "mod.ts"], one);
}
await step("bun install", bun, ["install", "--frozen-lockfile"], one);
// Tests that start the other runtime find it by these.
const runtimes = { FLASHPAGE_DENO: deno, FLASHPAGE_BUN: bun };
await step("tests under Deno", deno, ["test", "-A", "--no-check", ...paths], countsOfDeno, runtimes);
await step("tests under Bun", bun, ["test", "--timeout", "600000", ...paths], countsOfBun, runtimes);
console.log(`${total.passed} passed, ${total.failed} failed`);
Deno.exit(total.failed === 0 ? 0 : 1);
