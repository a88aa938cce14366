/** The documentation holds: paths that it names are there, links lead somewhere, tasks exist, its TypeScript runs, and its figures are measured ones. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { madePages } from "../scripts/pages/pages.ts";
import type { ResultRow } from "../bench/support/results.ts";
import { fillTables } from "../scripts/pages/tables.ts";
import { TemporaryFolder } from "./support/package_copy.ts";
import { readText, ROOT } from "./support/paths.ts";
import { runScript } from "./support/subprocess.ts";

const pages = [
  "README.md",
  ...readdirSync(`${ROOT}/docs`, { recursive: true }).map(String).filter((name) => name.endsWith(".md")).map((name) =>
    `docs/${name}`
  ),
];

/** Folders of which documentation may name files; what a name like `kv_indices` means is not for a test to guess. */
const PATH = /^(src|native|scripts|tests|bench|examples|docs)\/[\w./-]*$/;

for (const page of pages) {
  const text = readText(page);
  const code = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language, body]) => ({ language, body }));
  const prose = text.replace(/^```[^]*?^```$/gm, "");

  describe(page, () => {
    it("names files that are there", () => {
      for (const [, name] of prose.matchAll(/`([^`\n]+)`/g)) {
        if (PATH.test(name)) assert.ok(existsSync(`${ROOT}/${name}`), `${name} is not there`);
      }
    });

    it("links to files and sections that are there", () => {
      const folder = page.replace(/[^/]*$/, "");
      for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^\w+:/.test(target)) continue;
        const [file, section] = target.split("#");
        const path = file === "" ? page : new URL(file, `file:///${folder}`).pathname.slice(1);
        assert.ok(existsSync(`${ROOT}/${path}`), `${target} leads nowhere`);
        if (section === undefined || !path.endsWith(".md")) continue;
        const headings = [...readText(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
          heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")
        );
        assert.ok(headings.includes(section), `${target} names no section`);
      }
    });

    it("names tasks that deno.json has", () => {
      const { tasks } = JSON.parse(readText("deno.json"));
      for (const [, name] of text.matchAll(/deno(?:@[\d.]+)? task ([\w:-]+)/g)) {
        assert.ok(name in tasks, `there is no task ${name}`);
      }
    });

    const programs = code.filter(({ language, body }) => language === "ts" && body.includes('from "flashpage"'));
    programs.forEach(({ body }, index) => {
      it(`shows a program that runs (number ${index + 1})`, async () => {
        using folder = new TemporaryFolder();
        const script = `${folder.path}/program.ts`;
        writeFileSync(script, body.replaceAll('from "flashpage"', `from "file://${ROOT}/mod.ts"`));
        const { code, text } = await runScript(script, { cwd: ROOT });
        assert.equal(code, 0, text);
      });
    });
  });
}

describe("tables and pictures of measured figures", () => {
  it("say what bench/results says", () => {
    for (const [path, text] of madePages(ROOT)) {
      assert.equal(readText(path), text, `${path} is stale: run \`deno task pages\``);
    }
  });

  it("are made from the rows that a mark asks for", () => {
    const rows: ResultRow[] = [
      { case: "decode b=1 page=16", metric: "time", unit: "us", ours: 20, peers: { other: 30 }, roofline: 15 },
      { case: "decode b=16 page=16", metric: "time", unit: "us", ours: 1234.5, peers: {}, roofline: null },
    ];
    const file = { device: "A GPU", buildId: "0123", command: "deno run bench.ts", date: "2026-01-02T03:04:05Z", rows };
    const page = "a\n<!-- results gpu/decode only b=1 -->\nold\n<!-- end of results -->\nb\n";
    assert.equal(
      fillTables(page, "../", (name) => (assert.equal(name, "gpu/decode"), file)),
      `a
<!-- results gpu/decode only b=1 -->

| case               | unit | flashpage | other | share of the limit |
| ------------------ | ---- | --------- | ----- | ------------------ |
| decode b=1 page=16 | us   | **20**    | 30    | 75 %               |

\`\`\`sh
deno run bench.ts
\`\`\`

A GPU, 2026-01-02, build \`0123\` ([all figures](../bench/results/gpu/decode.json))

<!-- end of results -->
b
`,
    );
    assert.throws(() => fillTables(page, "", () => ({ ...file, rows: [rows[1]] })), /no row with b=1/);
    const twice = { ...file, rows: [rows[0], { ...rows[0], metric: "graph" }] };
    assert.match(fillTables(page, "", () => twice), /\| case +\| what +\| unit[^]+\| time +\| us[^]+\| graph +\| us/);
  });
});
