import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A committed file of tests/golden, which another implementation made (see scripts/golden/README.md). */
export function golden<Content>(name: string): Content {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../golden/${name}`, import.meta.url)), "utf8"));
}
