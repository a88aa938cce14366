/** Reads a script's command line. */

/** `--name value`; undefined if absent. */
export function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}
