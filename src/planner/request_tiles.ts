/**
 * Tiles of a batch whose requests have one row of pages each: the common case, in one loop.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { PageTable } from "../formats/page_table.ts";
import { TILE_DECODE, TILE_PREFILL, type TileTable } from "./tiles.ts";

/**
 * Cuts each request's queries into tiles and writes their words, request by request. The batch was checked before.
 *
 * @param tilesOffset first word of the section of tiles.
 * @param qoIndptr first query token of each request: [numRequests + 1].
 * @param maskIndptr first byte of each request's mask: [numRequests + 1]; undefined: there are no masks.
 * @returns the number of tiles.
 */
export function writeRequestTiles(
  words: Int32Array,
  tilesOffset: number,
  { decodeTokens, prefillTokens }: TileTable,
  qoIndptr: Int32Array,
  { indptr, lastPageLen, pageSize }: PageTable,
  maskIndptr: Int32Array | undefined,
): number {
  const numRequests = lastPageLen.length;
  let at = tilesOffset;
  let end = 0;
  let pageEnd = 0;
  for (let r = 0; r < numRequests; r++) {
    const begin = end;
    const pageBegin = pageEnd;
    end = qoIndptr[r + 1];
    pageEnd = indptr[r + 1];
    const kvLen = pageEnd === pageBegin ? 0 : (pageEnd - pageBegin - 1) * pageSize + lastPageLen[r];
    const isMasked = maskIndptr !== undefined && maskIndptr[r + 1] > maskIndptr[r];
    for (let token = begin; token < end;) {
      const left = end - token;
      const numTokens = left < prefillTokens ? left : prefillTokens;
      words[at + ROW_TILE.tileClass] = left <= decodeTokens ? TILE_DECODE : TILE_PREFILL;
      words[at + ROW_TILE.tokenBegin] = token;
      words[at + ROW_TILE.numTokens] = numTokens;
      words[at + ROW_TILE.gathered] = 0;
      words[at + ROW_TILE.qoPosBegin] = kvLen - left;
      words[at + ROW_TILE.pageBegin] = pageBegin;
      words[at + ROW_TILE.kvPosBegin] = 0;
      words[at + ROW_TILE.kvLen] = kvLen;
      words[at + ROW_TILE.maskByteBegin] = isMasked ? maskIndptr[r] : -1;
      words[at + ROW_TILE.maskStrideBits] = isMasked ? kvLen : 0;
      words[at + ROW_TILE.maskRowBegin] = isMasked ? token - begin : 0;
      // `reserved` is 0 from the start: nothing else is ever written there.
      at += ROW_TILE.words;
      token += numTokens;
    }
  }
  return (at - tilesOffset) / ROW_TILE.words;
}
