/** A benchmark case as words: `prefill causal=1 d=128 hq=32 ...`. Tools read result files by them. */
import process from "node:process";

/** A case: what is measured, and its parameters in the order they are written. */
export interface BenchCase {
  readonly kind: string;
  readonly params: Readonly<Record<string, number | string>>;
}

/** Writes a case. */
export function formatCase({ kind, params }: BenchCase): string {
  return [kind, ...Object.entries(params).map(([key, value]) => `${key}=${value}`)].join(" ");
}

/** `--name value` of the command line; undefined if absent. */
export function option(name: string, args: readonly string[] = process.argv): string | undefined {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
}

/** True if `--name` is on the command line. */
export function flag(name: string, args: readonly string[] = process.argv): boolean {
  return args.includes(`--${name}`);
}
