/**
 * What the native library is told about a plan's layout, by whoever reads the plan and by whoever makes it on the device.
 *
 * @module
 */
import type { PlanLayout } from "./layout.ts";

/** The fields that the arguments of both have. */
export interface LayoutArgs {
  numCtas: number;
  maxTiles: number;
  maxWorkItems: number;
  maxPartials: number;
  maxPartialRows: number;
  tilesOffset: number;
  workOffset: number;
  ctaBeginOffset: number;
  mergesOffset: number;
  partialsOffset: number;
  startsOffset: number;
}

/** Writes them. `maxPartialRows` is the plan's, which may have fewer than its layout allows. */
export function writeLayoutArgs(args: LayoutArgs, layout: PlanLayout, maxPartialRows: number): void {
  args.numCtas = layout.numCtas;
  args.maxTiles = layout.maxTiles;
  args.maxWorkItems = layout.maxWorkItems;
  args.maxPartials = layout.maxPartials;
  args.maxPartialRows = maxPartialRows;
  args.tilesOffset = layout.tilesOffset;
  args.workOffset = layout.workOffset;
  args.ctaBeginOffset = layout.ctaBeginOffset;
  args.mergesOffset = layout.mergesOffset;
  args.partialsOffset = layout.partialsOffset;
  args.startsOffset = layout.startsOffset;
}
