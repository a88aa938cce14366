/**
 * Tiles of a batch whose requests have one row of pages each: the common case, in one loop.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { PageTable } from "../formats/page_table.ts";
import { TILE_DECODE, TILE_PREFILL, type TileTable } from "./tiles.ts";

// Offsets of words, as constants of this module: the compilers of Deno and Bun then know their values.
const {
  words: TILE_WORDS,
  tileClass: TILE_CLASS,
  tokenBegin: TILE_TOKEN_BEGIN,
  numTokens: TILE_NUM_TOKENS,
  gathered: TILE_GATHERED,
  qoPosBegin: TILE_QO_POS_BEGIN,
  pageBegin: TILE_PAGE_BEGIN,
  kvPosBegin: TILE_KV_POS_BEGIN,
  kvLen: TILE_KV_LEN,
  maskByteBegin: TILE_MASK_BYTE_BEGIN,
  maskStrideBits: TILE_MASK_STRIDE_BITS,
  maskRowBegin: TILE_MASK_ROW_BEGIN,
} = ROW_TILE;

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
      words[at + TILE_CLASS] = left <= decodeTokens ? TILE_DECODE : TILE_PREFILL;
      words[at + TILE_TOKEN_BEGIN] = token;
      words[at + TILE_NUM_TOKENS] = numTokens;
      words[at + TILE_GATHERED] = 0;
      words[at + TILE_QO_POS_BEGIN] = kvLen - left;
      words[at + TILE_PAGE_BEGIN] = pageBegin;
      words[at + TILE_KV_POS_BEGIN] = 0;
      words[at + TILE_KV_LEN] = kvLen;
      words[at + TILE_MASK_BYTE_BEGIN] = isMasked ? maskIndptr[r] : -1;
      words[at + TILE_MASK_STRIDE_BITS] = isMasked ? kvLen : 0;
      words[at + TILE_MASK_ROW_BEGIN] = isMasked ? token - begin : 0;
      // `reserved` is 0 from the start: nothing else is ever written there.
      at += TILE_WORDS;
      token += numTokens;
    }
  }
  return (at - tilesOffset) / TILE_WORDS;
}
