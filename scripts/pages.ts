/** Writes the tables and pictures of the documentation from bench/results: `deno task pages`. */
import { madePages } from "./pages/pages.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
for (const [path, text] of madePages(root)) {
  Deno.writeTextFileSync(`${root}/${path}`, text);
  console.log(path);
}
