/** Reads what the test runners print. */

/** How many tests passed and failed. */
export interface Counts {
  passed: number;
  failed: number;
}

/**
 * Deno's last line: `ok | 6 passed (30 steps) | 0 failed | 2 ignored (1 step) (3s)`. What `describe` groups is a test, what `it` holds a
 * step: where there are steps, they are what is counted.
 */
export function countsOfDeno(output: string): Counts {
  const lines = [
    ...output.matchAll(/^(?:ok|FAILED) \| (\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed(?: \((\d+) steps?\))?/gm),
  ];
  const last = lines.at(-1);
  if (last === undefined) return { passed: 0, failed: 0 };
  const [, passed, passedSteps, failed, failedSteps] = last;
  return { passed: Number(passedSteps ?? passed), failed: Number(failedSteps ?? failed) };
}

/** Bun's last lines: ` 292 pass`, ` 0 fail`, and ` 2 errors` for files that could not be run. */
export function countsOfBun(output: string): Counts {
  const last = (word: string): number =>
    Number([...output.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
  return { passed: last("pass"), failed: Math.max(last("fail"), last("errors?")) };
}

/** What to show of a run that failed: all but the tests that passed. */
export function failuresIn(output: string): string {
  const kept = output.split("\n").filter((line) =>
    !/^\(pass\)|\.\.\. ok( \(\S+\))?$|^running \d+ tests? from|^[\w/]+_test\.ts:$/.test(line.trim())
  );
  return kept.join("\n").replace(/\n{3,}/g, "\n\n").trim();
}
