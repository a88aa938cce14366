/** What of a plan's words counts: the header and the used part of each section. The rest is what earlier plans left. */
import { CTA_START, MERGE_ITEM, PLAN_HEADER, ROW_ENTRY, ROW_TILE, WORK_ITEM } from "../../src/ffi/structs.gen.ts";
import type { Plan } from "../../src/planner/plan.ts";

/** A copy of those words, one section after another. */
export function usedWords({ words, layout, ...plan }: Plan): Int32Array {
  const sections: [offset: number, count: number][] = [
    [0, PLAN_HEADER.words],
    [layout.ctaBeginOffset, layout.numCtas + 1],
    [layout.tilesOffset, plan.numTiles * ROW_TILE.words],
    [layout.workOffset, plan.numWorkItems * WORK_ITEM.words],
    [layout.mergesOffset, plan.numMerges * MERGE_ITEM.words],
    [layout.partialsOffset, plan.numPartials],
    [layout.rowsOffset, plan.numRowEntries * ROW_ENTRY.words],
    [layout.startsOffset, layout.numStarts * CTA_START.words],
  ];
  const used = new Int32Array(sections.reduce((sum, [, count]) => sum + count, 0));
  let at = 0;
  for (const [offset, count] of sections) {
    used.set(words.subarray(offset, offset + count), at);
    at += count;
  }
  return used;
}
