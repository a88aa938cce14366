/**
 * Starts: what a CTA's only item needs at once, in one place.
 *
 * A CTA finds its work by a chain of reads: its range of items, the item, the item's tile, the page list. In a large batch all but the first are on their
 * way long before they are needed. In a small one, whose units are spread one piece a CTA (`spread.ts`), each read is waited for, and cold memory takes
 * half a microsecond. So there the plan says again, in a record for each CTA, which rows the item's tile has and which are its first pages: with the
 * item, which has the CTA's own number, that is one read.
 *
 * Only for a device with a kernel that looks here, and for pages of multiples of 16 tokens, which that kernel is for; and not for levels, whose page ids
 * are in several arrays.
 *
 * @module
 */
import { CTA_START, ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PageTable } from "../formats/page_table.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { CheckedConfig } from "./problem.ts";

// Offsets of words, as constants of this module: the compilers of Deno and Bun then know their values.
const { words: TILE_WORDS, tokenBegin: TILE_TOKEN_BEGIN, numTokens: TILE_NUM_TOKENS } = ROW_TILE;
const { qoPosBegin: TILE_QO_POS_BEGIN, pageBegin: TILE_PAGE_BEGIN } = ROW_TILE;
const { words: ITEM_WORDS, tile: ITEM_TILE, kvBegin: ITEM_KV_BEGIN, kvEnd: ITEM_KV_END } = WORK_ITEM;
const {
  words: START_WORDS,
  tokenBegin: START_TOKEN_BEGIN,
  numTokens: START_NUM_TOKENS,
  qoPosBegin: START_QO_POS_BEGIN,
  pageBegin: START_PAGE_BEGIN,
  page0: START_PAGES,
} = CTA_START;

/** `start_page_tokens` of the kernels. */
const PAGE_TOKENS = 16;

/** True if some plan of a config has starts. Batch-invariant plans spread no units. */
export function mayHaveStarts({ limits, costs, batchInvariant }: CheckedConfig): boolean {
  return limits.readsStarts === true && costs.sharesBandwidth && !batchInvariant;
}

/** Writes the section, and knows what it holds. */
export class CtaStarts {
  /** Records that say something: the first ones of `#words`. */
  #count = 0;
  #words: Int32Array | undefined;

  /** Of a plan whose item `i` is all that CTA `i` does: writes their records, if the layout has any. */
  write(words: Int32Array, layout: PlanLayout, { indices, pageSize }: PageTable): void {
    const { numCtas, numStarts, tilesOffset, workOffset, ctaBeginOffset, startsOffset } = layout;
    const numItems = numStarts > 0 && pageSize % PAGE_TOKENS === 0 ? words[ctaBeginOffset + numCtas] : 0;
    this.#keep(words, layout, numItems);
    const pagesPerToken = 1 / pageSize;
    let at = startsOffset;
    let itemAt = workOffset;
    for (let item = 0; item < numItems; item++, at += START_WORDS, itemAt += ITEM_WORDS) {
      const tileAt = tilesOffset + words[itemAt + ITEM_TILE] * TILE_WORDS;
      const kvBegin = words[itemAt + ITEM_KV_BEGIN];
      const kvEnd = words[itemAt + ITEM_KV_END];
      if (kvBegin >= kvEnd) {
        words.fill(0, at, at + START_WORDS);
        continue;
      }
      const pageBegin = words[tileAt + TILE_PAGE_BEGIN];
      words[at + START_TOKEN_BEGIN] = words[tileAt + TILE_TOKEN_BEGIN];
      words[at + START_NUM_TOKENS] = words[tileAt + TILE_NUM_TOKENS];
      words[at + START_QO_POS_BEGIN] = words[tileAt + TILE_QO_POS_BEGIN];
      words[at + START_PAGE_BEGIN] = pageBegin;
      // An integer and a half, times the inverse of the page size, truncates to the right page, and faster than a division.
      const last = pageBegin + (((kvEnd - 0.5) * pagesPerToken) | 0);
      let page = pageBegin + (((kvBegin + 0.5) * pagesPerToken) | 0);
      for (let word = at + START_PAGES; word < at + START_WORDS; word++) {
        words[word] = indices[page];
        if (page < last) page++;
      }
    }
  }

  /** Of any other plan: no record says anything. */
  clear(words: Int32Array, layout: PlanLayout): void {
    this.#keep(words, layout, 0);
  }

  /** Makes zeros of the records from `count` on. New words are zeros. */
  #keep(words: Int32Array, { startsOffset }: PlanLayout, count: number): void {
    if (words === this.#words && count < this.#count) {
      words.fill(0, startsOffset + count * START_WORDS, startsOffset + this.#count * START_WORDS);
    }
    this.#words = words;
    this.#count = count;
  }
}
