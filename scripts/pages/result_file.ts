/** Result files of bench/, as pages show them. */

/** A row of `bench/results/<device>/<name>.json`. */
export interface ResultRow {
  readonly case: string;
  /** What is measured of the case. */
  readonly metric: string;
  readonly unit: string;
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  /** The most that the device could do, in the same unit; null where it was not measured. */
  readonly roofline: number | null;
}

/** `bench/results/<device>/<name>.json`. */
export interface ResultFile {
  readonly device: string;
  readonly buildId: string;
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly rows: readonly ResultRow[];
}

/** Is a smaller figure the better one? */
export function isTime(unit: string): boolean {
  return unit === "us" || unit === "ms" || unit === "s";
}

/** A figure as tables show it: three significant digits, and no fewer than its whole part. */
export function figure(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
