/** The pages and pictures of the documentation that are made from result files. Reads the repository, writes nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { bars } from "./bars.ts";
import type { ResultRow } from "../../bench/support/results.ts";
import type { ResultFile } from "./result_file.ts";
import { fillTables } from "./tables.ts";

const CHARTS = [
  { results: "h100/prefill", title: "Causal prefill, 32 query and 8 KV heads of 128 dims, bf16", label: prefillLabel },
];

/** What each made file should hold, by its path in the repository. */
export function madePages(root: string): Map<string, string> {
  const read = (name: string): ResultFile => {
    const path = `${root}/bench/results/${name}.json`;
    if (!existsSync(path)) throw new Error(`A page asks for bench/results/${name}.json, which is not there.`);
    return JSON.parse(readFileSync(path, "utf8"));
  };
  const made = new Map<string, string>();
  const pages = ["README.md", ...readdirSync(`${root}/docs`, { recursive: true }).map((path) => `docs/${path}`)];
  for (const path of pages.filter((path) => path.endsWith(".md"))) {
    const toRoot = "../".repeat(path.split("/").length - 1);
    made.set(path, fillTables(readFileSync(`${root}/${path}`, "utf8"), toRoot, read));
  }
  for (const { results, title, label } of CHARTS) {
    made.set(`docs/pictures/${results.replace("/", "_")}.svg`, bars(read(results), title, label));
  }
  return made;
}

function prefillLabel({ case: name }: ResultRow): string {
  const { b, l, page } = Object.fromEntries(name.split(" ").slice(1).map((word) => word.split("=")));
  return `${b} x ${l} tokens, ${page === "0" ? "dense" : `page ${page}`}`;
}
