/**
 * Everything that only a machine with a GPU can check: the whole conformance table, the tests of every operation, a real model beside its
 * golden and the CPU, the demo, from Deno and from Bun, and attention under compute-sanitizer. Writes a record.
 *
 *   deno task check-gpu                                 all of it
 *   deno task check-gpu --only "memcheck|demo"          the checks that have one of these in their name
 *   deno task check-gpu --record FILE                   where the record goes (default: bench/results/gpu_checks.json); checks of the same
 *                                                       build that are in it already, and were not run again, stay
 */
import { openDevice } from "../mod.ts";
import { type Check, CHECKS } from "./gpu_checks/checks.ts";
import { type Outcome, updateRecord } from "./gpu_checks/record.ts";
import { findBun } from "./test_tools/find_bun.ts";
import { option } from "./command_line.ts";
import { countsOfBun, countsOfDeno, failuresIn } from "./test_tools/read_summary.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** A sanitizer finds errors that a program does not notice: then it ends with this. */
const SANITIZER_FOUND_ERRORS = 86;

async function run(check: Check): Promise<Outcome> {
  const program = check.runtime === "deno" ? Deno.execPath() : await findBun(root);
  const wrapper = check.sanitizer === undefined
    ? []
    : ["compute-sanitizer", "--tool", check.sanitizer, "--error-exitcode", `${SANITIZER_FOUND_ERRORS}`];
  const [first, ...args] = [...wrapper, program, ...check.args];
  const start = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(first, {
    args,
    cwd: root,
    env: { NO_COLOR: "1", ...check.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counts = countsIn(text, check, code);
  if (counts.failed > 0) console.log(failuresIn(text).slice(-6000));
  const settings = Object.entries(check.env).map(([name, value]) => `${name}=${value}`);
  const quoted = check.args.map((word) => /^[\w./-]+$/.test(word) ? word : `"${word}"`);
  return {
    name: check.name,
    command: [...settings, ...wrapper, check.runtime, ...quoted].join(" "),
    ...counts,
    seconds: Math.round((performance.now() - start) / 100) / 10,
    notes: [...text.matchAll(/^(?:prefill|decode): .*$|^=+ (?:ERROR|RACECHECK) SUMMARY: .*$/gm)].map(([line]) => line),
  };
}

function countsIn(text: string, check: Check, code: number): { passed: number; failed: number } {
  if (check.says !== undefined) return code === 0 && check.says.test(text) ? one(true) : one(false);
  const ofScript = [...text.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  const counts = ofScript !== undefined
    ? { passed: Number(ofScript[1]), failed: Number(ofScript[2]) }
    : (check.runtime === "deno" ? countsOfDeno : countsOfBun)(text);
  // A run that ends badly, or in which nothing ran, has failed whatever it printed.
  if ((code !== 0 || counts.passed === 0) && counts.failed === 0) return { ...counts, failed: 1 };
  return counts;
}

function one(isPassed: boolean): { passed: number; failed: number } {
  return { passed: isPassed ? 1 : 0, failed: isPassed ? 0 : 1 };
}

const only = option("only");
const wanted = CHECKS.filter(({ name }) => only === undefined || only.split("|").some((word) => name.includes(word)));
if (wanted.length === 0) {
  console.error(`No check has ${only} in its name. There are:\n${CHECKS.map(({ name }) => `  ${name}`).join("\n")}`);
  Deno.exit(2);
}
const record = option("record") ?? `${root}/bench/results/gpu_checks.json`;
using device = await openDevice({ backend: "cuda" }).catch((error: Error) => {
  console.error(error.message);
  Deno.exit(1);
});
let numFailed = 0;
for (const check of wanted) {
  const outcome = await run(check);
  numFailed += outcome.failed;
  console.log(
    `${
      outcome.failed === 0 ? "ok" : "FAILED"
    } ${outcome.name}: ${outcome.passed} passed, ${outcome.failed} failed (${outcome.seconds} s)`,
  );
  for (const note of outcome.notes) console.log(`  ${note}`);
  updateRecord(record, device, outcome);
}
Deno.exit(numFailed === 0 ? 0 : 1);
