/** The Bun that tests run under. */
import { exists } from "../toolchain/setup.ts";

const VERSION = "1.4.5";

async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, { args: ["--version"], stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

/** A full path, as other processes may have another PATH. */
function onPath(name: string): string | undefined {
  return (Deno.env.get("PATH") ?? "").split(":").map((folder) => `${folder}/${name}`).find(exists);
}

/** Finds Bun, or installs it. @throws {Error} with npm's words if that fails. */
export async function findBun(root: string): Promise<string> {
  const given = onPath("bun");
  if (given !== undefined && await versionOf(given) === VERSION) return given;
  const folder = `${root}/.cache/bun-${VERSION}`;
  const program = `${folder}/node_modules/.bin/bun`;
  if (await versionOf(program) === VERSION) return program;
  console.log(`Installing bun@${VERSION} into ${folder}`);
  const npm = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", `bun@${VERSION}`];
  const { success, stderr } = await new Deno.Command("npm", { args: npm, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`npm could not install bun@${VERSION}:\n${new TextDecoder().decode(stderr)}`);
  return program;
}
