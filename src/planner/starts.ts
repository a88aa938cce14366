/**
 * Starts: what a CTA's only item needs at once, in one place.
 *
 * A CTA finds its work by a chain of reads: its range of items, the item, the item's tile, the page list. In a large batch all but the first are on their
 * way long before they are needed. In a small one, whose units are spread one piece a CTA (`spread.ts`), each read is waited for, and cold memory takes
 * half a microsecond. So there the plan says again, in a record for each CTA, which rows the item's tile has and which are its first pages: with the
 * item, which has the CTA's own number, that is one read.
 *
 * Only for pages of multiples of 16 tokens, which have the kernel that looks here; and not for levels, whose page ids are in several arrays.
 *
 * @module
 */
import { CTA_START, ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PageTable } from "../formats/page_table.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";

const { words: START_WORDS, page0: START_PAGES } = CTA_START;

/** `start_page_tokens` of the kernels. */
const PAGE_TOKENS = 16;

/** Writes the section, and knows what it holds. */
export class CtaStarts {
  /** Records that say something: the first ones of `#words`. */
  #count = 0;
  #words: Int32Array | undefined;

  /** Of a plan whose item `i` is all that CTA `i` does: writes their records. */
  write(words: Int32Array, layout: PlanLayout, numItems: number, { indices, pageSize }: PageTable): void {
    if (pageSize % PAGE_TOKENS !== 0) {
      this.clear(words, layout);
      return;
    }
    this.#keep(words, layout, numItems);
    const { tilesOffset, workOffset, startsOffset } = layout;
    for (let item = 0; item < numItems; item++) {
      const itemAt = workOffset + item * WORK_ITEM.words;
      const tileAt = tilesOffset + words[itemAt + WORK_ITEM.tile] * ROW_TILE.words;
      const at = startsOffset + item * START_WORDS;
      const kvBegin = words[itemAt + WORK_ITEM.kvBegin];
      const kvEnd = words[itemAt + WORK_ITEM.kvEnd];
      if (kvBegin >= kvEnd) {
        words.fill(0, at, at + START_WORDS);
        continue;
      }
      const pageBegin = words[tileAt + ROW_TILE.pageBegin];
      words[at + CTA_START.tokenBegin] = words[tileAt + ROW_TILE.tokenBegin];
      words[at + CTA_START.numTokens] = words[tileAt + ROW_TILE.numTokens];
      words[at + CTA_START.qoPosBegin] = words[tileAt + ROW_TILE.qoPosBegin];
      words[at + CTA_START.pageBegin] = pageBegin;
      const last = pageBegin + Math.floor((kvEnd - 1) / pageSize);
      let page = pageBegin + Math.floor(kvBegin / pageSize);
      for (let word = START_PAGES; word < START_WORDS; word++) {
        words[at + word] = indices[page];
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
