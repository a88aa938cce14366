/** A result file as a picture: one group of bars for each row, ours first, with a mark at what the device could do at most. */
import type { ResultRow } from "../../bench/support/results.ts";
import { figure, type ResultFile } from "./result_file.ts";

const LABEL_WIDTH = 300;
const BARS_WIDTH = 520;
const BAR = 14;
const GAP = 12;
const COLORS = ["#2b6cb0", "#a0aec0", "#d69e2e", "#718096", "#b7791f"];

/** The picture as SVG. `label` names a row in few words. */
export function bars(file: ResultFile, title: string, label: (row: ResultRow) => string): string {
  const engines = ["flashpage", ...new Set(file.rows.flatMap((row) => Object.keys(row.peers)))];
  const valuesOf = (row: ResultRow) => engines.map((name, i) => i === 0 ? row.ours : row.peers[name]);
  const top = Math.max(...file.rows.flatMap((row) => [...valuesOf(row), row.roofline ?? 0]).filter(Number.isFinite));
  const x = (value: number) => LABEL_WIDTH + BARS_WIDTH * value / top;
  const group = engines.length * BAR + GAP;
  const height = 64 + file.rows.length * group;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LABEL_WIDTH + BARS_WIDTH + 70}" height="${height}" ` +
    `font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(12, 20, `${title} (${file.rows[0].unit}; ${file.device}, build ${file.buildId})`, ' font-weight="bold"'),
    ...engines.map((name, i) =>
      `<rect x="${LABEL_WIDTH + 130 * i}" y="30" width="12" height="12" fill="${COLORS[i]}"/>` +
      text(LABEL_WIDTH + 130 * i + 16, 41, name)
    ),
  ];
  file.rows.forEach((row, r) => {
    const y = 54 + r * group;
    parts.push(text(12, y + 12, label(row)));
    valuesOf(row).forEach((value, i) => {
      if (value === undefined) return;
      const width = (x(value) - LABEL_WIDTH).toFixed(1);
      parts.push(
        `<rect x="${LABEL_WIDTH}" y="${y + i * BAR}" width="${width}" height="${BAR - 2}" fill="${COLORS[i]}"/>`,
        text(x(value) + 4, y + i * BAR + 11, figure(value)),
      );
    });
    if (row.roofline === null) return;
    const at = x(row.roofline).toFixed(1);
    const down = y + engines.length * BAR;
    parts.push(`<line x1="${at}" y1="${y - 2}" x2="${at}" y2="${down}" stroke="#c53030"/>`);
  });
  return [...parts, "</svg>", ""].join("\n");
}

function text(x: number, y: number, words: string, more = ""): string {
  const safe = words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${Number(x.toFixed(1))}" y="${y}"${more}>${safe}</text>`;
}
