/** Result files: what was measured, on which device, with which build, by which command. */
import { writeFileSync } from "node:fs";
import { homedir } from "node:os";
import process from "node:process";
import type { Device } from "../../mod.ts";

/** One measured figure. */
export interface ResultRow {
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly ours: number;
  /** The same of other engines in the same run. */
  readonly peers: Readonly<Record<string, number>>;
  /** What the device could do at most, in the same unit; null if not measured. */
  readonly roofline: number | null;
}

/** Writes `{ device, driver, buildId, command, date, rows }`. */
export function writeResults(path: string, device: Device, rows: readonly ResultRow[]): void {
  writeFileSync(path, resultsText(device, rows));
}

/** That file's text. */
export function resultsText(device: Device, rows: readonly ResultRow[]): string {
  const file = {
    device: device.name,
    driver: device.facts.driverVersion,
    buildId: device.native.fp_build_id(),
    command: commandLine(),
    date: new Date().toISOString(),
    rows: rows.map((row) => ({ ...row, ours: round(row.ours) })),
  };
  return JSON.stringify(file, null, 1) + "\n";
}

/** As it would be typed in the repository, without where the results go. */
function commandLine(): string {
  const [, script, ...args] = process.argv;
  const at = args.indexOf("--json");
  if (at >= 0) args.splice(at, 2);
  const runtime = "Deno" in globalThis ? "deno run -A" : "bun";
  const settings = ["FLASHPAGE_CUDA_ARCH", "FLASHPAGE_CPU_ISA"].filter((name) => process.env[name])
    .map((name) => `${name}=${process.env[name]}`);
  const words = [...settings, runtime, script.replace(/^.*\/bench\//, "bench/"), ...args];
  return words.join(" ").replaceAll(homedir(), "~");
}

/** A figure with so many significant digits. */
export function round(value: number, digits = 4): number {
  return Number(value.toPrecision(digits));
}

/** Is a smaller figure the better one? */
export function isTime(unit: string): boolean {
  return unit === "us" || unit === "ms" || unit === "s";
}

/** Prints rows as a table. */
export function printRows(rows: readonly ResultRow[]): void {
  for (const { case: name, metric, unit, ours, peers, roofline } of rows) {
    const share = roofline === null
      ? ""
      : `  ${(100 * (isTime(unit) ? roofline / ours : ours / roofline)).toFixed(1)} % of ${round(roofline)}`;
    const others = Object.entries(peers).map(([peer, value]) =>
      `  ${peer} ${round(value)} (x${(isTime(unit) ? value / ours : ours / value).toFixed(2)})`
    );
    console.log(`${name.padEnd(84)} ${metric} ${String(round(ours)).padStart(8)} ${unit}${share}${others.join("")}`);
  }
}
