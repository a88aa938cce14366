/** The record of what passed on a GPU: device, build, and each check with its command. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Device } from "../../mod.ts";

/** How a check went. */
export interface Outcome {
  readonly name: string;
  readonly command: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** Lines of its output that are worth keeping. */
  readonly notes: readonly string[];
}

interface Record {
  device: string;
  driver: number;
  buildId: string;
  date: string;
  checks: Outcome[];
}

/** Adds a check to the file, or puts it in the place of its last run. What another build or device did is not kept. */
export function updateRecord(path: string, device: Device, outcome: Outcome): void {
  const now: Record = {
    device: device.name,
    driver: device.facts.driverVersion,
    buildId: device.native.fp_build_id(),
    date: new Date().toISOString(),
    checks: [],
  };
  if (existsSync(path)) {
    const before: Record = JSON.parse(readFileSync(path, "utf8"));
    if (before.device === now.device && before.buildId === now.buildId) now.checks = before.checks;
  }
  const at = now.checks.findIndex(({ name }) => name === outcome.name);
  if (at < 0) now.checks.push(outcome);
  else now.checks[at] = outcome;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(now, null, 1) + "\n");
}
