/** Runs programs, a few at a time. */

/** Calls `work` for each entry, at most `limit` at once; the first failure ends it. */
export async function forEachLimited<T>(
  entries: readonly T[],
  limit: number,
  work: (entry: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: Math.min(limit, entries.length) }, async () => {
    while (next < entries.length) await work(entries[next++]);
  });
  await Promise.all(lanes);
}

/** Runs a program to its end. @throws {Error} with what it printed, if it failed. */
export async function runProgram(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (!success) throw new Error(`${program} ${args.join(" ")}\n${text}`);
  return text;
}
