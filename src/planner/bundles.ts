/**
 * Uneven decode batches of up to three units a CTA: a CTA has whole units, long ones with short ones, or equal pieces of the longest.
 *
 * Equal shares of so few units would cut nearly each of them: a CTA then ends one unit, starts another, and merges. Here a unit is cut only if it is longer
 * than an equal share, into the fewest equal pieces that are not. There are as many bundles as have a CTA for each KV head. The pieces of all units of a
 * head (a whole unit is one) are dealt out in rounds, the longest first: in each round every bundle gets one, the shortest bundle the longest. So bundles
 * are less equal than equal shares (and now and then two pieces of one unit meet in one), which costs little on a GPU, where a CTA that ends early leaves its part of memory's rate to the others. If one would
 * be more than a tenth and four steps longer than an equal share, it is not done.
 *
 * Worked example: 16 requests of 512 to 1024 tokens, 32 KV heads, 264 CTAs. Eight bundles of two requests each, for 256 CTAs: 512 items and no merge. Equal
 * shares are 606 items, and 173 units are cut.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import { numPiecesOf, stepOfPiece } from "./equal_pieces.ts";
import { Order } from "./order.ts";
import type { CheckedConfig } from "./problem.ts";
import { type Scheduler, writeItem } from "./schedule.ts";
import type { TileList } from "./tiles.ts";

const { words: TILE_WORDS, numTokens: TILE_NUM_TOKENS } = ROW_TILE;

/** With more pieces a CTA, equal shares cut but few units. */
const MAX_ROUNDS = 3;
/** More would not fit the kernel that plans on the device. */
const MAX_BUNDLES = 512;

/** What the items of a piece, one for each KV head, have in common. */
interface PieceItem {
  tile: number;
  begin: number;
  end: number;
  isFree: boolean;
  /** Of the tile's units; 1: they are whole, and the rest means nothing. */
  pieces: number;
  /** Its partial of the first KV head, the workspace row of that, and how many rows it has. */
  partial: number;
  row: number;
  rows: number;
}
const NO_PIECE: PieceItem = { tile: 0, begin: 0, end: 0, isFree: true, pieces: 1, partial: 0, row: 0, rows: 0 };

/** Bundles the tiles of plans of one config. Its arrays live as long as the planner. */
export class Bundles {
  readonly #config: CheckedConfig;
  readonly #tileOrder = new Order();
  readonly #bundleOrder = new Order();
  /** By tile: pieces of a unit, steps of the longest of them, and if it is cut, its first partial and that one's row. */
  #numPieces = new Int32Array(0);
  #longest = new Int32Array(0);
  #firstPartial = new Int32Array(0);
  #firstRow = new Int32Array(0);
  /** Of each piece of one KV head, the longest first: its tile, and which of the tile's it is. */
  #tileOf = new Int32Array(0);
  #pieceOf = new Int32Array(0);
  /** Steps of each bundle so far. */
  #steps = new Int32Array(0);
  /** [rounds, bundles]: which piece of all a bundle got; -1: none. */
  #dealt = new Int32Array(0);
  /** The pieces of one bundle, as items of its first KV head. */
  readonly #bundle: PieceItem[] = Array.from({ length: MAX_ROUNDS }, () => ({ ...NO_PIECE }));

  /** For plans of one config. */
  constructor(config: CheckedConfig) {
    this.#config = config;
  }

  /**
   * Appends the items of at most `maxShares` shares, and says which CTA has which.
   *
   * @returns false, with nothing done, if bundles would not be even enough, or their pieces too small or too many.
   */
  lay(tiles: TileList, scheduler: Scheduler, words: Int32Array, layout: PlanLayout, maxShares: number): boolean {
    const { numKvHeads } = this.#config;
    const { shareTiles, shareCount, numSteps } = tiles;
    const numBundles = Math.floor(maxShares / numKvHeads);
    // What a plan has room for (`maxWorkItems` of plan_buffers/layout.ts).
    const room = shareCount + Math.min(3, numKvHeads) * (maxShares - 1);
    const mostPieces = Math.min(MAX_ROUNDS * numBundles, Math.floor(room / numKvHeads));
    if (shareCount > mostPieces || numBundles === 0 || numBundles > MAX_BUNDLES) return false;
    let total = 0;
    for (let place = 0; place < shareCount; place++) total += numSteps[shareTiles[place]];
    const numPieces = this.#cut(
      tiles,
      scheduler,
      words,
      layout,
      Math.max(1, Math.ceil(total * numKvHeads / maxShares)),
    );
    if (numPieces === 0 || numPieces > mostPieces) return false;
    this.#rank(tiles, numPieces);
    const numRounds = Math.ceil(numPieces / numBundles);
    // What is gained is some microseconds, however large the batch is.
    const most = Math.floor(11 * total * numKvHeads / (10 * maxShares)) + 4;
    if (this.#deal(tiles, numPieces, numBundles, numRounds) > most) return false;
    const cuts = numPieces > shareCount;
    if (cuts) this.#placePartials(tiles, scheduler, words, layout);
    this.#layItems(tiles, scheduler, words, layout, numBundles, numRounds);
    if (cuts) this.#noteCutUnits(tiles, scheduler);
    return true;
  }

  /** Says how many pieces units have, none longer than `equal` steps, and counts them. 0: some would be too short to be worth it. */
  #cut(tiles: TileList, scheduler: Scheduler, words: Int32Array, { tilesOffset }: PlanLayout, equal: number): number {
    const { shareTiles, shareCount, numSteps, count } = tiles;
    if (this.#numPieces.length < count) {
      this.#numPieces = new Int32Array(2 * count);
      this.#longest = new Int32Array(2 * count);
      this.#firstPartial = new Int32Array(2 * count);
      this.#firstRow = new Int32Array(2 * count);
    }
    const piecesOf = this.#numPieces;
    const longest = this.#longest;
    let sum = 0;
    for (let place = 0; place < shareCount; place++) {
      const tile = shareTiles[place];
      const steps = numSteps[tile];
      const pieces = numPiecesOf(steps, equal);
      const numTokens = words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS];
      if (pieces > 1 && Math.floor(steps / pieces) < scheduler.minStepsOfDecode(numTokens)) return 0;
      piecesOf[tile] = pieces;
      longest[tile] = Math.ceil(steps / pieces);
      sum += pieces;
    }
    return sum;
  }

  /** Writes which piece comes where if the longest come first; of those of one length, the first. */
  #rank({ shareTiles, shareCount }: TileList, numPieces: number): void {
    const order = this.#tileOrder.of(shareTiles, shareCount, this.#longest, "greatest");
    if (this.#tileOf.length < numPieces) {
      this.#tileOf = new Int32Array(2 * numPieces);
      this.#pieceOf = new Int32Array(2 * numPieces);
    }
    const tileOf = this.#tileOf;
    const pieceOf = this.#pieceOf;
    const piecesOf = this.#numPieces;
    let rank = 0;
    for (let place = 0; place < shareCount; place++) {
      const tile = order[place];
      const pieces = piecesOf[tile];
      for (let piece = 0; piece < pieces; piece++) {
        tileOf[rank] = tile;
        pieceOf[rank++] = piece;
      }
    }
  }

  /** Deals pieces out to bundles. Returns the steps of the longest bundle. */
  #deal({ numSteps }: TileList, numPieces: number, numBundles: number, numRounds: number): number {
    if (this.#steps.length < numBundles) this.#steps = new Int32Array(numBundles);
    if (this.#dealt.length < numRounds * numBundles) this.#dealt = new Int32Array(numRounds * numBundles);
    const steps = this.#steps;
    const dealt = this.#dealt;
    const tileOf = this.#tileOf;
    const piecesOf = this.#numPieces;
    steps.fill(0);
    let longest = 0;
    let rank = 0;
    for (let round = 0; round < numRounds; round++) {
      const order = this.#bundleOrder.of(undefined, numBundles, steps, "least");
      const roundAt = round * numBundles;
      for (let place = 0; place < numBundles; place++) {
        const bundle = order[place];
        if (rank === numPieces) {
          dealt[roundAt + bundle] = -1;
          continue;
        }
        const tile = tileOf[rank];
        const pieces = piecesOf[tile];
        let sum = steps[bundle];
        if (pieces === 1) {
          sum += numSteps[tile];
        } else {
          const piece = this.#pieceOf[rank];
          sum += stepOfPiece(numSteps[tile], pieces, piece + 1) - stepOfPiece(numSteps[tile], pieces, piece);
        }
        dealt[roundAt + bundle] = rank++;
        steps[bundle] = sum;
        if (sum > longest) longest = sum;
      }
    }
    return longest;
  }

  /** Partials of cut units lie in the order of tiles, in a tile by KV head, in a head by piece. */
  #placePartials(
    { shareTiles, shareCount }: TileList,
    scheduler: Scheduler,
    words: Int32Array,
    { tilesOffset }: PlanLayout,
  ): void {
    const { numKvHeads, groupSize } = this.#config;
    let partials = 0;
    let rows = scheduler.numPartialRows;
    for (let place = 0; place < shareCount; place++) {
      const tile = shareTiles[place];
      const pieces = this.#numPieces[tile];
      if (pieces === 1) continue;
      this.#firstPartial[tile] = partials;
      this.#firstRow[tile] = rows;
      partials += pieces * numKvHeads;
      rows += pieces * numKvHeads * words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS] * groupSize;
    }
    scheduler.numPartialRows = rows;
    scheduler.setPiecesApart(partials);
  }

  #layItems(
    tiles: TileList,
    scheduler: Scheduler,
    words: Int32Array,
    layout: PlanLayout,
    numBundles: number,
    numRounds: number,
  ): void {
    const { numKvHeads, groupSize, limits: { numCtas, decodeKvTile } } = this.#config;
    const { numSteps, kvBegin, kvEnd, freeBegin, freeEnd } = tiles;
    const { workOffset, ctaBeginOffset, tilesOffset } = layout;
    const { itemOfPiece } = scheduler;
    const piecesOfBundle = this.#bundle;
    let item = scheduler.numWorkItems;
    let cta = 0;
    words[ctaBeginOffset] = item;
    for (let bundle = 0; bundle < numBundles; bundle++) {
      let count = 0;
      for (let round = 0; round < numRounds; round++) {
        const rank = this.#dealt[round * numBundles + bundle];
        if (rank < 0) continue;
        const tile = this.#tileOf[rank];
        const pieces = this.#numPieces[tile];
        const of = piecesOfBundle[count++];
        of.tile = tile;
        of.begin = kvBegin[tile];
        of.end = kvEnd[tile];
        of.pieces = pieces;
        if (pieces > 1) {
          const piece = this.#pieceOf[rank];
          const steps = numSteps[tile];
          const firstKv = of.begin - of.begin % decodeKvTile;
          if (piece > 0) of.begin = firstKv + stepOfPiece(steps, pieces, piece) * decodeKvTile;
          if (piece < pieces - 1) of.end = firstKv + stepOfPiece(steps, pieces, piece + 1) * decodeKvTile;
          of.partial = this.#firstPartial[tile] + piece;
          of.rows = words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS] * groupSize;
          of.row = this.#firstRow[tile] + piece * of.rows;
        }
        of.isFree = of.begin >= freeBegin[tile] && of.end <= freeEnd[tile];
      }
      for (let head = 0; head < numKvHeads; head++) {
        for (let i = 0; i < count; i++) {
          const { tile, begin, end, pieces, partial, row, rows, isFree } = piecesOfBundle[i];
          if (pieces > 1) itemOfPiece[partial + head * pieces] = item;
          const partialRow = pieces > 1 ? row + head * pieces * rows : -1;
          writeItem(words, workOffset, item++, tile, head, 1, begin, end, partialRow, isFree);
        }
        words[ctaBeginOffset + ++cta] = item;
      }
    }
    words.fill(item, ctaBeginOffset + cta, ctaBeginOffset + numCtas + 1);
    scheduler.numWorkItems = item;
  }

  #noteCutUnits({ shareTiles, shareCount }: TileList, scheduler: Scheduler): void {
    const { numKvHeads } = this.#config;
    for (let place = 0; place < shareCount; place++) {
      const tile = shareTiles[place];
      const pieces = this.#numPieces[tile];
      if (pieces === 1) continue;
      for (let head = 0; head < numKvHeads; head++) {
        scheduler.noteCutUnit(scheduler.itemOfPiece[this.#firstPartial[tile] + head * pieces], pieces);
      }
    }
  }
}
