/** Other processes: programs in either runtime, whichever the test itself runs in. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";

/** What a process left. */
export interface Outcome {
  code: number | null;
  /** Standard output and standard error, as they came. */
  text: string;
}

/** Runs a program to its end. `env` is added to the test's own; undefined unsets. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<Outcome> {
  const merged: Record<string, string | undefined> = { ...process.env, NO_COLOR: "1", ...env };
  for (const [name, value] of Object.entries(merged)) if (value === undefined) delete merged[name];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: merged as Record<string, string>,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (data) => text += data);
    child.stderr.on("data", (data) => text += data);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, text }));
  });
}

/** The runtime that the test runs in. */
export const RUNTIME: "deno" | "bun" = "Bun" in globalThis ? "bun" : "deno";

/** The program of a runtime: this one, or what FLASHPAGE_DENO, FLASHPAGE_BUN or PATH name. @throws {Error} if it is not there. */
export function runtimeProgram(name: "deno" | "bun"): string {
  if (name === RUNTIME) return process.execPath;
  const named = process.env[`FLASHPAGE_${name.toUpperCase()}`];
  if (named) return named;
  for (const folder of (process.env.PATH ?? "").split(":")) {
    if (folder !== "" && existsSync(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  throw new Error(`This test needs ${name} too. Put it on PATH, or set FLASHPAGE_${name.toUpperCase()} to its path.`);
}

/** Runs a script in the test's own runtime; Deno with all permissions. */
export function runScript(script: string, options: Parameters<typeof run>[2] = {}): Promise<Outcome> {
  return run(process.execPath, RUNTIME === "deno" ? ["run", "-A", "--no-check", script] : [script], options);
}
