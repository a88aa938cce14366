/** What a compiled file depends on: its own text and that of all it includes by quotes. */
import { createHash } from "node:crypto";
import { exists } from "./setup.ts";

/** A hash of `path`, from the root on, and of what it includes, from beside the including file or from native/cuda; in hexadecimal. */
export function hashOfSource(root: string, path: string): string {
  const hash = createHash("sha256");
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = Deno.readTextFileSync(file);
    hash.update(file.slice(root.length)).update(text);
    for (const [, name] of text.matchAll(/^\s*#include "([^"]+)"/gm)) {
      const found = [new URL(name, `file://${file}`).pathname, `${root}/native/cuda/${name}`].find(exists);
      if (found !== undefined) visit(found);
    }
  };
  visit(`${root}/${path}`);
  return hash.digest("hex");
}
