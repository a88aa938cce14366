/**
 * Row tiles: which query rows run together, in which tile class, and which KV tokens they can see.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { CheckedConfig } from "./problem.ts";

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

/** Tile classes, as `fp_tile_class`. */
export const TILE_DECODE = 0;
/** See {@linkcode TILE_DECODE}. */
export const TILE_PREFILL = 1;

/**
 * The one table of tile choices. A tile's packed rows are its tokens times the group (query heads a KV head):
 *
 * | packed rows left of the request | tile |
 * |---|---|
 * | up to `decodeRows` (16) | one decode tile: the CTA's warps split the KV tokens, so few rows still read memory at full speed |
 * | more | a prefill tile of as many whole tokens as fit `prefillRows` (128), then look again |
 *
 * A token is never split, so a group over `decodeRows` always takes prefill tiles.
 *
 * Worked example: group 4, a request of 67 query tokens. 268 rows are left: a prefill tile of 32 tokens (128 rows); 140: another; 12: a decode tile
 * of 3 tokens. With group 7, one token is 7 rows (decode), 3 tokens are 21 (prefill), and a full prefill tile holds 18 tokens (126 rows).
 */
export class TileTable {
  /** Tokens that fit a decode tile; 0 if none does. */
  readonly decodeTokens: number;
  /** Tokens that fit a prefill tile. */
  readonly prefillTokens: number;

  /** See {@linkcode TileTable}. */
  constructor({ groupSize, limits }: CheckedConfig) {
    this.decodeTokens = Math.floor(limits.decodeRows / groupSize);
    this.prefillTokens = Math.floor(limits.prefillRows / groupSize);
  }

  /** Class of the next tile when `numTokens` are left. */
  classOf(numTokens: number): number {
    return numTokens <= this.decodeTokens ? TILE_DECODE : TILE_PREFILL;
  }

  /** Tokens of the next tile when `numTokens` are left. */
  tokensOf(numTokens: number): number {
    return numTokens < this.prefillTokens ? numTokens : this.prefillTokens;
  }
}

/**
 * The tiles of a plan under way: their words, and beside them what the scheduler asks for, one entry a tile.
 *
 * A tile's *unit* is its work for one KV head. A unit is walked in *steps*: step `s` ends at KV token `(firstStep + s + 1) * kvTile` of the list, so
 * that steps, and cuts between them, lie at multiples of the KV tile.
 */
export class TileList {
  /** Tiles so far. */
  count = 0;
  /** Tiles that the shares are cut from, in order: `shareCount` of them. */
  shareTiles: Int32Array = new Int32Array(0);
  /** See `shareTiles`. */
  shareCount = 0;
  /** Cost of all units of `shareTiles`. */
  shareCost = 0;
  /** Tiles of the queue, as they were added: `queueCount` of them. */
  queueTiles: Int32Array = new Int32Array(0);
  /** See `queueTiles`. */
  queueCount = 0;
  /** Cost of all units of `queueTiles`. */
  queueCost = 0;
  /** Bit c: there are tiles of class c. */
  classes = 0;
  /** First KV token that any row sees; 0 if none. */
  kvBegin: Int32Array = new Int32Array(0);
  /** End of the KV tokens that any row sees. */
  kvEnd: Int32Array = new Int32Array(0);
  /** Every row sees all tokens from here ... */
  freeBegin: Int32Array = new Int32Array(0);
  /** ... to here (not included): no mask needed between. */
  freeEnd: Int32Array = new Int32Array(0);
  /** Steps of a unit. */
  numSteps: Int32Array = new Int32Array(0);
  /** Cost of a unit. */
  unitCost: Float64Array = new Float64Array(0);
  /** 1: some of its tokens have another level too, so all its results are partials. */
  isPartial: Uint8Array = new Uint8Array(0);
  /** Of gathered tiles: the lowest and the highest position of its tokens. */
  #minPos: Int32Array = new Int32Array(0);
  #maxPos: Int32Array = new Int32Array(0);
  #hasPartialTiles = false;
  #words: Int32Array = new Int32Array(0);
  #offset = 0;
  readonly #config: CheckedConfig;
  readonly #windowLeft: number;
  /** A causal mask is a window of 0 to the right. */
  readonly #windowRight: number;

  /** A list for plans of one config. */
  constructor(config: CheckedConfig) {
    this.#config = config;
    this.#windowLeft = config.windowLeft;
    this.#windowRight = config.causal ? 0 : config.windowRight;
  }

  /** Starts over, in room for `maxTiles` tiles. Allocates only to grow. */
  reset(words: Int32Array, offset: number, maxTiles: number): void {
    this.count = 0;
    this.#words = words;
    this.#offset = offset;
    if (this.#hasPartialTiles) this.isPartial.fill(0);
    this.#hasPartialTiles = false;
    if (this.kvBegin.length >= maxTiles) return;
    this.shareTiles = new Int32Array(maxTiles);
    this.queueTiles = new Int32Array(maxTiles);
    this.kvBegin = new Int32Array(maxTiles);
    this.kvEnd = new Int32Array(maxTiles);
    this.freeBegin = new Int32Array(maxTiles);
    this.freeEnd = new Int32Array(maxTiles);
    this.numSteps = new Int32Array(maxTiles);
    this.unitCost = new Float64Array(maxTiles);
    this.isPartial = new Uint8Array(maxTiles);
    this.#minPos = new Int32Array(0);
    this.#maxPos = new Int32Array(0);
  }

  /**
   * Adds a tile whose tokens have positions `minPos` to `maxPos`.
   *
   * @returns false if the rows see no token and the tile was left out, which happens only if `keepEmpty` is false.
   */
  add(
    tileClass: number,
    tokenBegin: number,
    numTokens: number,
    gathered: number,
    minPos: number,
    maxPos: number,
    pageBegin: number,
    kvPosBegin: number,
    kvLen: number,
    maskByteBegin: number,
    maskStrideBits: number,
    maskRowBegin: number,
    keepEmpty: boolean,
  ): boolean {
    if (!keepEmpty) {
      const begin = this.#windowLeft < 0 ? 0 : Math.max(0, minPos - this.#windowLeft - kvPosBegin);
      const end = this.#windowRight < 0 ? kvLen : Math.min(kvLen, maxPos + this.#windowRight + 1 - kvPosBegin);
      if (begin >= end) return false;
    }
    const tile = this.count++;
    if (gathered !== 0) {
      if (this.#minPos.length === 0) {
        this.#minPos = new Int32Array(this.kvBegin.length);
        this.#maxPos = new Int32Array(this.kvBegin.length);
      }
      this.#minPos[tile] = minPos;
      this.#maxPos[tile] = maxPos;
    }
    const words = this.#words;
    const at = this.#offset + tile * TILE_WORDS;
    words[at + TILE_CLASS] = tileClass;
    words[at + TILE_TOKEN_BEGIN] = tokenBegin;
    words[at + TILE_NUM_TOKENS] = numTokens;
    words[at + TILE_GATHERED] = gathered;
    words[at + TILE_QO_POS_BEGIN] = gathered === 0 ? minPos : 0;
    words[at + TILE_PAGE_BEGIN] = pageBegin;
    words[at + TILE_KV_POS_BEGIN] = kvPosBegin;
    words[at + TILE_KV_LEN] = kvLen;
    words[at + TILE_MASK_BYTE_BEGIN] = maskByteBegin;
    words[at + TILE_MASK_STRIDE_BITS] = maskStrideBits;
    words[at + TILE_MASK_ROW_BEGIN] = maskRowBegin;
    // `reserved` is 0 from the start: nothing else is ever written there.
    return true;
  }

  /** Says that some tokens of a tile have another level too. */
  markPartial(tile: number): void {
    this.isPartial[tile] = 1;
    this.#hasPartialTiles = true;
  }

  /** Works out what the tiles so far see and cost, and which of them are in the shares and which in the queue. */
  measure(): void {
    const words = this.#words;
    const { count, kvBegin, kvEnd, freeBegin, freeEnd, numSteps, unitCost, shareTiles, queueTiles } = this;
    const { limits, costs, numKvHeads } = this.#config;
    const decodeStepCost = limits.decodeKvTile * costs.decodeToken;
    const prefillStepCost = limits.prefillKvTile * costs.prefillToken;
    const hasQueue = limits.prefillCtas > 0;
    const windowLeft = this.#windowLeft;
    const windowRight = this.#windowRight;
    // An integer plus or minus a half, times the inverse of the KV tile, truncates to the right step, and faster than a division.
    const stepsPerDecodeToken = 1 / limits.decodeKvTile;
    const stepsPerPrefillToken = 1 / limits.prefillKvTile;
    const minPositions = this.#minPos;
    const maxPositions = this.#maxPos;
    let shareCount = 0;
    let shareCost = 0;
    let queueCount = 0;
    let queueCost = 0;
    let classes = 0;
    let at = this.#offset;
    for (let tile = 0; tile < count; tile++) {
      const isPrefill = words[at + TILE_CLASS] === TILE_PREFILL;
      const kvLen = words[at + TILE_KV_LEN];
      const kvPosBegin = words[at + TILE_KV_POS_BEGIN];
      let minPos = words[at + TILE_QO_POS_BEGIN];
      let maxPos = minPos + words[at + TILE_NUM_TOKENS] - 1;
      if (words[at + TILE_GATHERED] !== 0) {
        minPos = minPositions[tile];
        maxPos = maxPositions[tile];
      }
      let begin = 0;
      let end = kvLen;
      let firstFree = 0;
      let endFree = kvLen;
      if (windowRight >= 0) {
        end = Math.min(end, maxPos + windowRight + 1 - kvPosBegin);
        endFree = Math.max(0, Math.min(endFree, minPos + windowRight + 1 - kvPosBegin));
      }
      if (windowLeft >= 0) {
        begin = Math.max(0, minPos - windowLeft - kvPosBegin);
        firstFree = Math.max(0, Math.min(kvLen, maxPos - windowLeft - kvPosBegin));
      }
      if (words[at + TILE_MASK_BYTE_BEGIN] >= 0) endFree = 0;
      let steps = 0;
      if (begin < end) {
        const stepsPerToken = isPrefill ? stepsPerPrefillToken : stepsPerDecodeToken;
        steps = (((end - 0.5) * stepsPerToken) | 0) + 1 - (((begin + 0.5) * stepsPerToken) | 0);
      } else {
        begin = 0;
        end = 0;
      }
      const cost = isPrefill ? costs.prefillItem + steps * prefillStepCost : costs.decodeItem + steps * decodeStepCost;
      kvBegin[tile] = begin;
      kvEnd[tile] = end;
      freeBegin[tile] = firstFree;
      freeEnd[tile] = endFree;
      numSteps[tile] = steps;
      unitCost[tile] = cost;
      if (isPrefill && hasQueue) {
        queueTiles[queueCount++] = tile;
        queueCost += cost * numKvHeads;
      } else {
        shareTiles[shareCount++] = tile;
        shareCost += cost * numKvHeads;
      }
      classes |= isPrefill ? 1 << TILE_PREFILL : 1 << TILE_DECODE;
      at += TILE_WORDS;
    }
    this.shareCount = shareCount;
    this.shareCost = shareCost;
    this.queueCount = queueCount;
    this.queueCost = queueCost;
    this.classes = classes;
  }
}
