/**
 * Tables of measured figures in Markdown pages. A page holds a pair of marks, and what is between them is written from a result file:
 *
 *   <!-- results h100/prefill -->                     every row of bench/results/h100/prefill.json
 *   <!-- results h100/prefill only b=1 page=16 -->    the rows that have these words, in what they are of or in what was measured
 *   <!-- end of results -->
 */
import { isTime, type ResultRow } from "../../bench/support/results.ts";
import { figure, type ResultFile } from "./result_file.ts";

/** `fmt.lineWidth` of deno.json. */
const LINE_WIDTH = 120;

const MARKED = /(<!-- results ([\w-]+\/[\w-]+)(?: only ([^>]*?))? -->\n)[^]*?(<!-- end of results -->)/g;

/**
 * A page with its tables written anew.
 *
 * @param toRoot from the page's folder to the repository's: "" or "../".
 * @throws {Error} naming what a mark asks for and no file has.
 */
export function fillTables(page: string, toRoot: string, readResults: (name: string) => ResultFile): string {
  return page.replace(MARKED, (_, begin: string, name: string, words: string | undefined, end: string) => {
    const file = readResults(name);
    const wanted = words?.split(/\s+/) ?? [];
    const rows = file.rows.filter((row) =>
      wanted.every((word) => `${row.case} ${row.metric}`.split(" ").includes(word))
    );
    if (rows.length === 0) throw new Error(`bench/results/${name}.json has no row with ${words}.`);
    return `${begin}\n${table(rows)}\n\n${source(`${toRoot}bench/results/${name}.json`, file)}\n\n${end}`;
  });
}

/** As `deno fmt` breaks it. */
function source(path: string, { device, buildId, command, date }: ResultFile): string {
  const [made, link] = [`${device}, ${date.slice(0, 10)}, build \`${buildId}\``, `([all figures](${path}))`];
  const separator = made.length + 1 + link.length > LINE_WIDTH ? "\n" : " ";
  return `\`\`\`sh\n${command}\n\`\`\`\n\n${made}${separator}${link}`;
}

function table(rows: readonly ResultRow[]): string {
  const peers = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))];
  const hasLimit = rows.some(({ roofline }) => roofline !== null);
  // Where a case has several rows, the metric tells them apart.
  const hasMetric = new Set(rows.map((row) => row.case)).size < rows.length;
  const head = [
    "case",
    ...(hasMetric ? ["what"] : []),
    "unit",
    "flashpage",
    ...peers,
    ...(hasLimit ? ["share of the limit"] : []),
  ];
  const lines = rows.map((row) => [
    row.case,
    ...(hasMetric ? [row.metric] : []),
    row.unit,
    `**${figure(row.ours)}**`,
    ...peers.map((peer) => row.peers[peer] === undefined ? "" : figure(row.peers[peer])),
    ...(hasLimit ? [share(row)] : []),
  ]);
  return aligned([head, ...lines]);
}

function share({ ours, roofline, unit }: ResultRow): string {
  if (roofline === null) return "";
  return `${Math.round(100 * (isTime(unit) ? roofline / ours : ours / roofline))} %`;
}

/** As `deno fmt` lays tables out. */
function aligned(cells: readonly (readonly string[])[]): string {
  const widths = cells[0].map((_, column) => Math.max(3, ...cells.map((line) => line[column].length)));
  const lines = cells.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}
