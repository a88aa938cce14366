/** Result files of bench/, as pages show them. */
import type { ResultRow } from "../../bench/support/results.ts";

/** `bench/results/<device>/<name>.json`. */
export interface ResultFile {
  readonly device: string;
  readonly buildId: string;
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly rows: readonly ResultRow[];
}

/** A figure as tables show it: three significant digits, and no fewer than its whole part. */
export function figure(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
