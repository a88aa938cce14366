/**
 * Tiles of composable formats: each level's block rows become tiles of their own, so a token may lie in several, and rows of several requests in one.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { checkLevels, type KvLevel } from "../formats/levels.ts";
import { MAX_KV_TOKENS } from "../formats/page_table.ts";
import { ROW_ENTRY } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { CheckedConfig } from "./problem.ts";
import type { TileList, TileTable } from "./tiles.ts";

const ENTRY_WORDS = ROW_ENTRY.words;

/**
 * Builds the tiles, and keeps which tiles cover each token. Its arrays grow with the batch and stay.
 *
 * A block row of several requests is cut where the logical position of its first KV token changes, and around requests with a mask of their
 * own: a tile has one such position and one mask. A tile that sees no KV is left out if other levels cover its tokens; tokens that nothing
 * covers get tiles with an empty range at the end, which write zeros.
 */
export class ComposedTiles {
  /** Query tokens of the batch. */
  numTokens = 0;
  /** Levels of the batch. */
  numLevels = 0;
  /** Row entries written. */
  numRowEntries = 0;
  /** [numLevels, numTokens]: the tile that covers a token at a level, -1 if none. */
  tileOf: Int32Array = new Int32Array(0);
  /** [numLevels, numTokens]: the token's index in that tile. */
  indexOf: Int32Array = new Int32Array(0);
  /** [numTokens]: how many tiles cover it. */
  numCovers: Int32Array = new Int32Array(0);
  readonly #config: CheckedConfig;
  readonly #table: TileTable;
  #requestOf: Int32Array = new Int32Array(0);
  /** [numRequests]: KV tokens of all levels. */
  #kvLen: Int32Array = new Int32Array(0);
  /** [numRequests]: KV tokens of the levels before the present one. */
  #kvBefore: Int32Array = new Int32Array(0);
  /** [numRequests]: 1 + the last level that lists the request. */
  #lastLevel: Int32Array = new Int32Array(0);
  // The batch under way.
  #qoIndptr: Int32Array = new Int32Array(0);
  #maskIndptr: Int32Array | undefined;
  #words: Int32Array = new Int32Array(0);
  #rowsOffset = 0;

  /** For plans of one config. */
  constructor(config: CheckedConfig, table: TileTable) {
    this.#config = config;
    this.#table = table;
  }

  /**
   * Adds the tiles of all levels to `tiles`, and their row entries to `words`.
   *
   * @throws {InvalidArgumentError} if the levels do not fit the batch, naming where.
   */
  build(
    tiles: TileList,
    words: Int32Array,
    layout: PlanLayout,
    qoIndptr: Int32Array,
    levels: readonly KvLevel[],
    maskIndptr: Int32Array | undefined,
  ): void {
    const numRequests = qoIndptr.length - 1;
    this.numTokens = qoIndptr[numRequests];
    this.numLevels = levels.length;
    this.numRowEntries = 0;
    this.#qoIndptr = qoIndptr;
    this.#maskIndptr = maskIndptr;
    this.#words = words;
    this.#rowsOffset = layout.rowsOffset;
    this.#reserve(numRequests);
    this.tileOf.fill(-1, 0, this.numLevels * this.numTokens);
    this.numCovers.fill(0, 0, this.numTokens);
    this.#kvBefore.fill(0, 0, numRequests);
    let pageBase = 0;
    for (let l = 0; l < levels.length; l++) {
      const { rowIndptr, rowIndices, pages } = levels[l];
      const numRows = pages.lastPageLen.length;
      for (let row = 0; row < numRows; row++) {
        const kvLen = kvLenOf(pages.indptr, pages.lastPageLen, pages.pageSize, row);
        this.#addBlockRow(
          tiles,
          l,
          rowIndices,
          rowIndptr[row],
          rowIndptr[row + 1],
          pageBase + pages.indptr[row],
          kvLen,
        );
      }
      pageBase += pages.indptr[numRows];
    }
    this.#addUncovered(tiles);
    tiles.measure();
    this.#markPartial(tiles);
  }

  /**
   * Checks that levels fit the batch, and sums up each request's KV tokens. Writes nothing of the plan.
   *
   * @throws {InvalidArgumentError} naming the level, block row and token.
   */
  measure(qoIndptr: Int32Array, levels: readonly KvLevel[]): void {
    const numRequests = qoIndptr.length - 1;
    this.numTokens = qoIndptr[numRequests];
    this.numLevels = levels.length;
    this.#qoIndptr = qoIndptr;
    this.#reserve(numRequests);
    for (let r = 0; r < numRequests; r++) this.#requestOf.fill(r, qoIndptr[r], qoIndptr[r + 1]);
    this.#kvLen.fill(0, 0, numRequests);
    this.#lastLevel.fill(0, 0, numRequests);
    for (let l = 0; l < levels.length; l++) {
      if (!this.#measureLevel(l, levels[l], levels[0].pages.pageSize)) {
        checkLevels(levels, qoIndptr);
        throw new InvalidArgumentError(`Cannot plan: a request has more than 2^30 - 1 KV tokens at level ${l}.`);
      }
    }
  }

  /** KV tokens of a request, all levels together; after `measure`. */
  kvLenOf(request: number): number {
    return this.#kvLen[request];
  }

  /** False if something is wrong with the level; `checkLevels` says what. */
  #measureLevel(l: number, { rowIndptr, rowIndices, pages }: KvLevel, pageSize: number): boolean {
    const { indptr, indices, lastPageLen } = pages;
    const numRows = lastPageLen.length;
    const qoIndptr = this.#qoIndptr;
    if (
      pages.pageSize !== pageSize || indptr.length !== numRows + 1 || rowIndptr.length !== numRows + 1 ||
      indptr[0] !== 0 || indptr[numRows] > indices.length
    ) return false;
    const size = rowIndices === undefined ? this.numTokens : rowIndices.length;
    if (rowIndptr[0] < 0 || rowIndptr[numRows] > size) return false;
    for (let row = 0; row < numRows; row++) {
      const numPages = indptr[row + 1] - indptr[row];
      const last = lastPageLen[row];
      if (numPages < 0 || (numPages === 0 ? last !== 0 : last < 1 || last > pageSize)) return false;
      const kvLen = kvLenOf(indptr, lastPageLen, pageSize, row);
      let i = rowIndptr[row];
      const end = rowIndptr[row + 1];
      if (end < i || end > size) return false;
      while (i < end) {
        const first = rowIndices === undefined ? i : rowIndices[i];
        if (first < 0 || first >= this.numTokens) return false;
        const request = this.#requestOf[first];
        const qoBegin = qoIndptr[request];
        const qoLen = qoIndptr[request + 1] - qoBegin;
        if (first !== qoBegin || i + qoLen > end || this.#lastLevel[request] === l + 1) return false;
        if (rowIndices !== undefined) {
          for (let t = 1; t < qoLen; t++) if (rowIndices[i + t] !== qoBegin + t) return false;
        }
        this.#lastLevel[request] = l + 1;
        if (this.#kvLen[request] + kvLen > MAX_KV_TOKENS) return false;
        this.#kvLen[request] += kvLen;
        i += qoLen;
      }
    }
    return true;
  }

  /** Walks a block row's requests and cuts it into runs that may share tiles. */
  #addBlockRow(
    tiles: TileList,
    l: number,
    rowIndices: Int32Array | undefined,
    begin: number,
    end: number,
    pageBegin: number,
    kvLen: number,
  ): void {
    const qoIndptr = this.#qoIndptr;
    let runBegin = begin;
    let runRequests = 0;
    let runKvBefore = 0;
    let i = begin;
    while (i < end) {
      const request = this.#requestOf[rowIndices === undefined ? i : rowIndices[i]];
      const qoLen = qoIndptr[request + 1] - qoIndptr[request];
      const isMasked = this.#isMasked(request);
      const kvBefore = this.#kvBefore[request];
      if (runRequests > 0 && (isMasked || kvBefore !== runKvBefore)) {
        this.#addRun(tiles, l, rowIndices, runBegin, i, runRequests, pageBegin, kvLen);
        runRequests = 0;
      }
      if (runRequests === 0) {
        runBegin = i;
        runKvBefore = kvBefore;
      }
      runRequests++;
      i += qoLen;
      if (isMasked) {
        this.#addRun(tiles, l, rowIndices, runBegin, i, 1, pageBegin, kvLen);
        runRequests = 0;
      }
    }
    if (runRequests > 0) this.#addRun(tiles, l, rowIndices, runBegin, end, runRequests, pageBegin, kvLen);
    for (i = begin; i < end;) {
      const request = this.#requestOf[rowIndices === undefined ? i : rowIndices[i]];
      this.#kvBefore[request] += kvLen;
      i += qoIndptr[request + 1] - qoIndptr[request];
    }
  }

  #addRun(
    tiles: TileList,
    l: number,
    rowIndices: Int32Array | undefined,
    begin: number,
    end: number,
    numRequests: number,
    pageBegin: number,
    kvLen: number,
  ): void {
    const first = rowIndices === undefined ? begin : rowIndices[begin];
    const request = this.#requestOf[first];
    const kvBefore = this.#kvBefore[request];
    if (numRequests === 1) {
      this.#addRequest(tiles, l, request, pageBegin, kvBefore, kvLen);
      return;
    }
    const qoIndptr = this.#qoIndptr;
    const words = this.#words;
    for (let i = begin; i < end;) {
      const count = this.#table.tokensOf(end - i);
      const tileClass = this.#table.classOf(end - i);
      let at = this.#rowsOffset + this.numRowEntries * ENTRY_WORDS;
      let minPos = 0x7fffffff;
      let maxPos = -0x80000000;
      let isStraight = true;
      let lastToken = 0;
      let lastPos = 0;
      for (let j = 0; j < count; j++) {
        const token = rowIndices === undefined ? i + j : rowIndices[i + j];
        const r = this.#requestOf[token];
        const pos = this.#kvLen[r] - qoIndptr[r + 1] + token;
        if (pos < minPos) minPos = pos;
        if (pos > maxPos) maxPos = pos;
        if (j > 0 && (token !== lastToken + 1 || pos !== lastPos + 1)) isStraight = false;
        lastToken = token;
        lastPos = pos;
        words[at + ROW_ENTRY.token] = token;
        words[at + ROW_ENTRY.qoPos] = pos;
        at += ENTRY_WORDS;
      }
      const tokenBegin = isStraight ? lastToken - count + 1 : this.numRowEntries;
      if (
        tiles.add(
          tileClass,
          tokenBegin,
          count,
          isStraight ? 0 : 1,
          minPos,
          maxPos,
          pageBegin,
          kvBefore,
          kvLen,
          -1,
          0,
          0,
          false,
        )
      ) {
        // A straight tile needs no entries: the next one overwrites them.
        if (!isStraight) this.numRowEntries += count;
        for (let j = 0; j < count; j++) {
          this.#cover(l, rowIndices === undefined ? i + j : rowIndices[i + j], tiles.count - 1, j);
        }
      }
      i += count;
    }
  }

  /** Tiles of one request at one level. */
  #addRequest(tiles: TileList, l: number, request: number, pageBegin: number, kvBefore: number, kvLen: number): void {
    const begin = this.#qoIndptr[request];
    const end = this.#qoIndptr[request + 1];
    const position = this.#kvLen[request] - end;
    const isMasked = this.#isMasked(request);
    const maskByteBegin = isMasked ? this.#maskIndptr![request] : -1;
    const maskStrideBits = isMasked ? this.#kvLen[request] : 0;
    for (let token = begin; token < end;) {
      const count = this.#table.tokensOf(end - token);
      const minPos = position + token;
      const maskRow = isMasked ? token - begin : 0;
      const tileClass = this.#table.classOf(end - token);
      if (
        tiles.add(
          tileClass,
          token,
          count,
          0,
          minPos,
          minPos + count - 1,
          pageBegin,
          kvBefore,
          kvLen,
          maskByteBegin,
          maskStrideBits,
          maskRow,
          false,
        )
      ) {
        for (let j = 0; j < count; j++) this.#cover(l, token + j, tiles.count - 1, j);
      }
      token += count;
    }
  }

  /** Tokens that no level covers: tiles without KV, which write zeros. */
  #addUncovered(tiles: TileList): void {
    const qoIndptr = this.#qoIndptr;
    for (let r = 0; r + 1 < qoIndptr.length; r++) {
      for (let token = qoIndptr[r]; token < qoIndptr[r + 1];) {
        if (this.numCovers[token] > 0) {
          token++;
          continue;
        }
        let end = token + 1;
        while (end < qoIndptr[r + 1] && this.numCovers[end] === 0) end++;
        while (token < end) {
          const count = this.#table.tokensOf(end - token);
          const pos = this.#kvLen[r] - qoIndptr[r + 1] + token;
          tiles.add(this.#table.classOf(end - token), token, count, 0, pos, pos + count - 1, 0, 0, 0, -1, 0, 0, true);
          token += count;
        }
      }
    }
  }

  #markPartial(tiles: TileList): void {
    for (let token = 0; token < this.numTokens; token++) {
      if (this.numCovers[token] < 2) continue;
      for (let l = 0; l < this.numLevels; l++) {
        const tile = this.tileOf[l * this.numTokens + token];
        if (tile >= 0) tiles.markPartial(tile);
      }
    }
  }

  #cover(l: number, token: number, tile: number, index: number): void {
    const at = l * this.numTokens + token;
    this.tileOf[at] = tile;
    this.indexOf[at] = index;
    this.numCovers[token]++;
  }

  #isMasked(request: number): boolean {
    const maskIndptr = this.#maskIndptr;
    return maskIndptr !== undefined && maskIndptr[request + 1] > maskIndptr[request];
  }

  #reserve(numRequests: number): void {
    const { numTokens, numLevels } = this;
    if (this.numCovers.length < numTokens) {
      this.numCovers = new Int32Array(numTokens + (numTokens >> 1));
      this.#requestOf = new Int32Array(numTokens + (numTokens >> 1));
    }
    if (this.tileOf.length < numLevels * numTokens) {
      this.tileOf = new Int32Array(numLevels * numTokens + (numTokens >> 1));
      this.indexOf = new Int32Array(numLevels * numTokens + (numTokens >> 1));
    }
    if (this.#kvLen.length < numRequests) {
      this.#kvLen = new Int32Array(numRequests + (numRequests >> 1));
      this.#kvBefore = new Int32Array(numRequests + (numRequests >> 1));
      this.#lastLevel = new Int32Array(numRequests + (numRequests >> 1));
    }
  }
}

function kvLenOf(indptr: Int32Array, lastPageLen: Int32Array, pageSize: number, row: number): number {
  const numPages = indptr[row + 1] - indptr[row];
  return numPages === 0 ? 0 : (numPages - 1) * pageSize + lastPageLen[row];
}
