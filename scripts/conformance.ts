/**
 * The whole conformance table on this machine, several processes side by side: for a machine with a GPU and many cores.
 *
 *   deno task conformance                     every backend that is there, one process a core (at most 16)
 *   deno task conformance --shards 4          as many processes
 *   deno task conformance --runtime bun       under Bun
 */
import { findBun } from "./test_tools/find_bun.ts";
import { option } from "./command_line.ts";
import { countsOfBun, countsOfDeno, failuresIn } from "./test_tools/read_summary.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const count = Number(option("shards") ?? Math.min(16, navigator.hardwareConcurrency));
if (!Number.isInteger(count) || count < 1) {
  console.error(`--shards is ${option("shards")}. Pass an integer >= 1.`);
  Deno.exit(2);
}
const isBun = option("runtime") === "bun";
const program = isBun ? await findBun(root) : Deno.execPath();
const test = "tests/conformance/attention_test.ts";
const args = isBun ? ["test", "--timeout", "600000", test] : ["test", "-A", "--no-check", test];

const shards = Array.from({ length: count }, async (_, i) => {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: root,
    env: { NO_COLOR: "1", FLASHPAGE_CONFORMANCE: "full", FLASHPAGE_SHARD: `${i + 1}/${count}` },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counts = (isBun ? countsOfBun : countsOfDeno)(output);
  if (!success) console.log(`Shard ${i + 1}/${count}:\n${failuresIn(output)}`);
  return { passed: counts.passed, failed: success ? counts.failed : Math.max(1, counts.failed) };
});
const all = await Promise.all(shards);
const failed = all.reduce((sum, counts) => sum + counts.failed, 0);
console.log(`${all.reduce((sum, counts) => sum + counts.passed, 0)} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
