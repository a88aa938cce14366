/**
 * Draws the pictures of docs/scheduling.md: the load of each CTA without a schedule and with one, at the same scale.
 *
 *   deno task pictures
 *
 * Without a schedule there is one CTA for each tile and KV head. They start in order, each where an earlier one has ended, as the blocks
 * of a grid do.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { sharedPrefixLevels } from "../src/formats/levels.ts";
import { type PageTable, pageTableFromLists } from "../src/formats/page_table.ts";
import { indptrOf } from "../src/formats/ragged.ts";
import { drawLoads } from "../src/planner/explain_svg.ts";
import { type ItemLoad, loadsOfPlan, totalsOf } from "../src/planner/loads.ts";
import { createPlanner } from "../src/planner/planner.ts";
import type { AttentionProblem, PlannerConfig, PlannerLimits } from "../src/planner/problem.ts";

/** Where the pictures lie in the repository. */
export const PICTURES_FOLDER = "docs/pictures";

/** A small device, so that each bar can be seen. */
const LIMITS: PlannerLimits = {
  numCtas: 32,
  decodeRows: 16,
  prefillRows: 128,
  decodeKvTile: 64,
  prefillKvTile: 64,
  prefillCtas: 0,
};
const CONFIG: PlannerConfig = { numQoHeads: 8, numKvHeads: 2, headDimVo: 128, causal: true, limits: LIMITS };
const PAGE_SIZE = 16;

/** The pictures: text of each SVG document by its file name. */
export function schedulingPictures(): Map<string, string> {
  return new Map([...decodePictures(), ...prefillPictures(), ...prefixPictures()]);
}

/** Twelve requests of one query token each, of very different lengths. */
function decodePictures(): [string, string][] {
  const kvLens = [6000, 300, 450, 2500, 120, 900, 640, 80, 3500, 210, 1500, 400];
  const problem = { qoIndptr: indptrOf(kvLens.map(() => 1)), pages: pagesOf(kvLens) };
  const after = loadsOf(CONFIG, problem);
  return pair("decode", "12 requests, 2 KV heads", unscheduled(CONFIG, problem, LIMITS.numCtas), after);
}

/** Three prompts under a causal mask: the further back a tile lies in its prompt, the longer it is. */
function prefillPictures(): [string, string][] {
  const qoLens = [96, 352, 1504];
  const config = { ...CONFIG, limits: { ...LIMITS, prefillCtas: 16 } };
  const problem = { qoIndptr: indptrOf(qoLens), pages: pagesOf(qoLens) };
  // The prompts end with whole prefill tiles, so that the shares are empty: the queue's CTAs stand behind them.
  const after = loadsOf(config, problem).slice(config.limits.numCtas);
  return pair("prefill", "prompts of 96, 352 and 1504 tokens, 2 KV heads", unscheduled(config, problem, 16), after);
}

/** 24 requests with a common prefix: read by each of them, and as a level of its own. */
function prefixPictures(): [string, string][] {
  const prefixLen = 4096;
  const suffixLens = Array.from({ length: 24 }, (_, r) => 60 + r * 53 % 400);
  const qoIndptr = indptrOf(suffixLens.map(() => 1));
  const prefix = Array.from({ length: prefixLen / PAGE_SIZE }, (_, page) => page);
  const levels = sharedPrefixLevels(
    qoIndptr,
    [{ requests: suffixLens.map((_, r) => r), pages: prefix }],
    pagesOf(suffixLens),
  );
  const plain = { qoIndptr, pages: pagesOf(suffixLens.map((length) => prefixLen + length)) };
  const before = unscheduled(CONFIG, plain, LIMITS.numCtas);
  return pair(
    "prefix",
    "24 requests, 2 KV heads, a common prefix of 4096 tokens",
    before,
    loadsOf(CONFIG, { qoIndptr, levels }),
  );
}

function pair(name: string, what: string, before: ItemLoad[][], after: ItemLoad[][]): [string, string][] {
  const scale = Math.max(...totalsOf(before), ...totalsOf(after));
  return [
    [`scheduling_${name}_before.svg`, drawLoads(before, `${what}: one CTA for each tile and KV head`, scale)],
    [`scheduling_${name}_after.svg`, drawLoads(after, `${what}: as planned`, scale)],
  ];
}

function loadsOf(config: PlannerConfig, problem: AttentionProblem): ItemLoad[][] {
  const planner = createPlanner(config);
  return loadsOfPlan(planner.plan(problem), planner.config);
}

/** Units of all tiles in order, each on the CTA that is free first. */
function unscheduled(config: PlannerConfig, problem: AttentionProblem, numCtas: number): ItemLoad[][] {
  // A plan for one CTA cuts nothing: its items are the tiles.
  const [tiles] = loadsOf({ ...config, limits: { ...config.limits, numCtas: 1, prefillCtas: 0 } }, problem);
  const loads: ItemLoad[][] = Array.from({ length: numCtas }, () => []);
  const totals = loads.map(() => 0);
  const { numKvHeads } = config;
  for (const tile of tiles) {
    const unit = { ...tile, kvTokens: tile.kvTokens / numKvHeads, cost: tile.cost / numKvHeads };
    for (let head = 0; head < numKvHeads; head++) {
      const cta = totals.indexOf(Math.min(...totals));
      loads[cta].push(unit);
      totals[cta] += unit.cost;
    }
  }
  return loads;
}

function pagesOf(kvLens: readonly number[]): PageTable {
  let next = 0;
  const lists = kvLens.map((kvLen) => Int32Array.from({ length: Math.ceil(kvLen / PAGE_SIZE) }, () => next++));
  return pageTableFromLists(lists, kvLens, PAGE_SIZE);
}

if (import.meta.main) {
  const folder = new URL(`../${PICTURES_FOLDER}/`, import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [name, svg] of schedulingPictures()) {
    writeFileSync(new URL(name, folder), svg);
    console.log(`${PICTURES_FOLDER}/${name}: ${svg.length} bytes`);
  }
}
