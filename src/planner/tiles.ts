/**
 * Row tiles: which query rows run together, in which tile class, and which KV tokens they can see.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { CheckedConfig } from "./problem.ts";

/** Tile classes, as `fp_tile_class`. */
export const TILE_DECODE = 0;
/** See {@linkcode TILE_DECODE}. */
export const TILE_PREFILL = 1;

const TILE_WORDS = ROW_TILE.words;

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
  #words: Int32Array = new Int32Array(0);
  #offset = 0;
  readonly #numKvHeads: number;
  readonly #hasQueue: boolean;
  readonly #windowLeft: number;
  /** A causal mask is a window of 0 to the right. */
  readonly #windowRight: number;
  readonly #decodeItemCost: number;
  readonly #prefillItemCost: number;
  readonly #decodeStepCost: number;
  readonly #prefillStepCost: number;
  // Inverses of the KV tiles: an integer plus a half, times them, rounds down to the right step, and costs less than a division.
  readonly #stepsPerDecodeToken: number;
  readonly #stepsPerPrefillToken: number;

  /** A list for plans of one config. */
  constructor({ numKvHeads, causal, windowLeft, windowRight, limits, costs }: CheckedConfig) {
    this.#numKvHeads = numKvHeads;
    this.#hasQueue = limits.prefillCtas > 0;
    this.#windowLeft = windowLeft;
    this.#windowRight = causal ? 0 : windowRight;
    this.#decodeItemCost = costs.decodeItem;
    this.#prefillItemCost = costs.prefillItem;
    this.#decodeStepCost = limits.decodeKvTile * costs.decodeToken;
    this.#prefillStepCost = limits.prefillKvTile * costs.prefillToken;
    this.#stepsPerDecodeToken = 1 / limits.decodeKvTile;
    this.#stepsPerPrefillToken = 1 / limits.prefillKvTile;
  }

  /** Starts over, in room for `maxTiles` tiles. Allocates only to grow. */
  reset(words: Int32Array, offset: number, maxTiles: number): void {
    this.count = 0;
    this.shareCount = 0;
    this.shareCost = 0;
    this.queueCount = 0;
    this.queueCost = 0;
    this.classes = 0;
    this.#words = words;
    this.#offset = offset;
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
  }

  /**
   * Adds a tile whose tokens have positions `minPos` to `maxPos`, and works out what they see.
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
    const windowRight = this.#windowRight;
    const windowLeft = this.#windowLeft;
    let begin = 0;
    let end = kvLen;
    let freeBegin = 0;
    let freeEnd = kvLen;
    if (windowRight >= 0) {
      end = Math.min(end, maxPos + windowRight + 1 - kvPosBegin);
      freeEnd = Math.min(freeEnd, minPos + windowRight + 1 - kvPosBegin);
    }
    if (windowLeft >= 0) {
      begin = Math.max(0, minPos - windowLeft - kvPosBegin);
      freeBegin = Math.max(0, Math.min(kvLen, maxPos - windowLeft - kvPosBegin));
    }
    if (begin >= end) {
      if (!keepEmpty) return false;
      begin = 0;
      end = 0;
    }
    const tile = this.count++;
    const isPrefill = tileClass === TILE_PREFILL;
    const perStep = isPrefill ? this.#stepsPerPrefillToken : this.#stepsPerDecodeToken;
    const numSteps = end === 0 ? 0 : Math.floor((end - 0.5) * perStep) + 1 - Math.floor((begin + 0.5) * perStep);
    const unitCost = isPrefill
      ? this.#prefillItemCost + numSteps * this.#prefillStepCost
      : this.#decodeItemCost + numSteps * this.#decodeStepCost;
    this.kvBegin[tile] = begin;
    this.kvEnd[tile] = end;
    this.freeBegin[tile] = freeBegin;
    this.freeEnd[tile] = maskByteBegin >= 0 || freeEnd < 0 ? 0 : freeEnd;
    this.numSteps[tile] = numSteps;
    this.unitCost[tile] = unitCost;
    this.isPartial[tile] = 0;
    if (isPrefill && this.#hasQueue) {
      this.queueTiles[this.queueCount++] = tile;
      this.queueCost += unitCost * this.#numKvHeads;
    } else {
      this.shareTiles[this.shareCount++] = tile;
      this.shareCost += unitCost * this.#numKvHeads;
    }
    this.classes |= 1 << tileClass;
    const words = this.#words;
    const at = this.#offset + tile * TILE_WORDS;
    words[at + ROW_TILE.tileClass] = tileClass;
    words[at + ROW_TILE.tokenBegin] = tokenBegin;
    words[at + ROW_TILE.numTokens] = numTokens;
    words[at + ROW_TILE.gathered] = gathered;
    words[at + ROW_TILE.qoPosBegin] = gathered === 0 ? minPos : 0;
    words[at + ROW_TILE.pageBegin] = pageBegin;
    words[at + ROW_TILE.kvPosBegin] = kvPosBegin;
    words[at + ROW_TILE.kvLen] = kvLen;
    words[at + ROW_TILE.maskByteBegin] = maskByteBegin;
    words[at + ROW_TILE.maskStrideBits] = maskStrideBits;
    words[at + ROW_TILE.maskRowBegin] = maskRowBegin;
    // `reserved` is 0 from the start: nothing else is ever written there.
    return true;
  }
}
