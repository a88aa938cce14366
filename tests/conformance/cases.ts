/**
 * The table of attention cases that every backend must pass: named edge cases, and a grid that spans FlashInfer's own tests
 * (batch 1..128, kv 1..16384, page sizes, head dims, groups, windows, caps, masks). CI runs a seeded sample of the grid; FLASHPAGE_CONFORMANCE=full runs it all.
 */
import type { DType, KvLayout } from "../../mod.ts";
import { Random } from "../support/random.ts";

export interface AttentionCase {
  name: string;
  /** Query and KV tokens of each request. */
  qoLens: number[];
  kvLens: number[];
  /** If given, the first `sharedLen` KV tokens (whole pages) of all requests are a level of their own. */
  sharedLen?: number;
  /** Requests listed in another order than they stand in the batch share the prefix by gathered rows. */
  gathered?: boolean;
  pageSize: number;
  numKvHeads: number;
  groupSize: number;
  headDim: number;
  headDimVo?: number;
  dtype: DType;
  kvLayout?: KvLayout;
  causal?: boolean;
  windowLeft?: number;
  windowRight?: number;
  logitsSoftCap?: number;
  smScale?: number;
  /** Random boolean mask with this share of ones; "none" hides every key of request 0. */
  maskDensity?: number;
  /** Standard deviation of q and k; 1 by default. Large ones make extreme logits. */
  magnitude?: number;
}

const plain = { pageSize: 16, numKvHeads: 2, groupSize: 4, headDim: 128, dtype: "bf16" as DType };

/** Cases that someone got wrong once, each alone. */
export const EDGE_CASES: AttentionCase[] = [
  { ...plain, name: "one token sees itself", qoLens: [1], kvLens: [1], causal: true },
  { ...plain, name: "empty sequences among others", qoLens: [1, 1, 1, 1], kvLens: [0, 33, 0, 5] },
  { ...plain, name: "all sequences empty", qoLens: [1, 3], kvLens: [0, 0], causal: true },
  { ...plain, name: "requests without queries", qoLens: [0, 4, 0, 1], kvLens: [64, 20, 0, 130], causal: true },
  { ...plain, name: "more queries than keys, causal", qoLens: [40, 7], kvLens: [16, 3], causal: true },
  { ...plain, name: "more queries than keys, long", qoLens: [300], kvLens: [130], causal: true, pageSize: 5 },
  { ...plain, name: "extreme logits", qoLens: [1, 9], kvLens: [257, 100], causal: true, magnitude: 40 },
  {
    ...plain,
    name: "extreme logits f16",
    qoLens: [1, 9],
    kvLens: [257, 100],
    causal: true,
    magnitude: 40,
    dtype: "f16",
  },
  { ...plain, name: "negative scale", qoLens: [1, 9], kvLens: [257, 100], smScale: -0.3 },
  { ...plain, name: "fully masked rows by mask", qoLens: [3, 20], kvLens: [40, 70], maskDensity: 0.03 },
  { ...plain, name: "random mask over prefill", qoLens: [130, 1], kvLens: [300, 65], maskDensity: 0.5, causal: true },
  { ...plain, name: "window shorter than a page", qoLens: [1, 50], kvLens: [400, 300], causal: true, windowLeft: 3 },
  { ...plain, name: "window of zero", qoLens: [1, 20], kvLens: [40, 20], causal: true, windowLeft: 0 },
  { ...plain, name: "window to both sides", qoLens: [64], kvLens: [200], windowLeft: 17, windowRight: 9 },
  { ...plain, name: "window hides every key of early rows", qoLens: [200], kvLens: [100], causal: true, windowLeft: 8 },
  { ...plain, name: "soft cap", qoLens: [1, 70], kvLens: [333, 70], causal: true, logitsSoftCap: 5, magnitude: 4 },
  { ...plain, name: "group of 64", qoLens: [1, 5], kvLens: [500, 77], causal: true, numKvHeads: 1, groupSize: 64 },
  { ...plain, name: "group of 17", qoLens: [2, 40], kvLens: [200, 77], causal: true, numKvHeads: 1, groupSize: 17 },
  {
    ...plain,
    name: "head dims 192 and 128",
    qoLens: [1, 90],
    kvLens: [300, 200],
    causal: true,
    headDim: 192,
    headDimVo: 128,
  },
  { ...plain, name: "large pages", qoLens: [1, 33], kvLens: [1500, 700], causal: true, pageSize: 1024 },
  { ...plain, name: "HND layout", qoLens: [1, 33], kvLens: [150, 70], causal: true, kvLayout: "HND" },
  {
    ...plain,
    name: "one long request beside short ones",
    qoLens: [1, 1, 1, 1, 1, 1],
    kvLens: [9000, 3, 1, 17, 64, 2],
    causal: true,
  },
  {
    ...plain,
    name: "shared prefix, decode",
    qoLens: [1, 1, 1, 1, 1],
    kvLens: [200, 177, 193, 180, 176],
    sharedLen: 176,
    causal: true,
  },
  {
    ...plain,
    name: "shared prefix, append",
    qoLens: [5, 17, 1, 40],
    kvLens: [100, 130, 65, 120],
    sharedLen: 64,
    causal: true,
  },
  {
    ...plain,
    name: "shared prefix, gathered rows",
    qoLens: [3, 1, 1, 6, 2],
    kvLens: [100, 130, 65, 120, 70],
    sharedLen: 64,
    gathered: true,
    causal: true,
  },
  {
    ...plain,
    name: "shared prefix, MHA, page 1",
    qoLens: [1, 1, 1],
    kvLens: [140, 150, 129],
    sharedLen: 128,
    pageSize: 1,
    groupSize: 1,
    causal: true,
  },
];

const GRID = {
  batch: [1, 2, 12, 17, 128],
  kvLen: [1, 54, 97, 512, 2048, 16384],
  qoLen: [1, 1, 1, 2, 17, 37, 127, 577],
  pageSize: [1, 5, 8, 16, 64],
  headDim: [64, 96, 128, 192, 256],
  groupSize: [1, 4, 7, 8],
  numKvHeads: [1, 2, 4],
  dtype: ["bf16", "f16"] as DType[],
  kvLayout: ["NHD", "HND"] as KvLayout[],
  logitsSoftCap: [0, 0, 0, 30],
  windowLeft: [-1, -1, -1, 5, 127, 533],
};

/**
 * A seeded sample of the grid. Lengths are uneven: each request draws from half its case's length up.
 *
 * @param maxWork query-head rows x KV tokens x head dim of a case: larger ones are drawn again.
 */
export function gridCases(count: number, seed: number, maxWork: number): AttentionCase[] {
  const random = new Random(seed);
  const cases: AttentionCase[] = [];
  while (cases.length < count) {
    const batch = random.pick(GRID.batch);
    const [kvMax, qoMax] = [random.pick(GRID.kvLen), random.pick(GRID.qoLen)];
    const [numKvHeads, groupSize, headDim] = [
      random.pick(GRID.numKvHeads),
      random.pick(GRID.groupSize),
      random.pick(GRID.headDim),
    ];
    const kvLens = Array.from({ length: batch }, () => random.integer(Math.ceil(kvMax / 2), kvMax));
    const qoLens = Array.from({ length: batch }, () => random.integer(Math.ceil(qoMax / 2), qoMax));
    const dtype = random.pick(GRID.dtype);
    const [pageSize, kvLayout] = [random.pick(GRID.pageSize), random.pick(GRID.kvLayout)];
    const [logitsSoftCap, windowLeft] = [random.pick(GRID.logitsSoftCap), random.pick(GRID.windowLeft)];
    const causal = random.next() < 0.7;
    const maskDensity = random.next() < 0.1 ? random.pick([0.1, 0.9]) : undefined;
    const work = kvLens.reduce((sum, kv, i) => sum + kv * qoLens[i], 0) * numKvHeads * groupSize * headDim;
    const mask = kvLens.reduce((sum, kv, i) => sum + kv * qoLens[i], 0);
    if (work > maxWork || (maskDensity !== undefined && mask > 3e6)) continue;
    const name =
      `b=${batch} qo<=${qoMax} kv<=${kvMax} page=${pageSize} hkv=${numKvHeads} group=${groupSize} d=${headDim} ${dtype} ${kvLayout}` +
      `${causal ? " causal" : ""}${windowLeft >= 0 ? ` window=${windowLeft}` : ""}${
        logitsSoftCap > 0 ? ` cap=${logitsSoftCap}` : ""
      }` +
      `${maskDensity === undefined ? "" : ` mask=${maskDensity}`} #${cases.length}`;
    cases.push({
      name,
      qoLens,
      kvLens,
      pageSize,
      numKvHeads,
      groupSize,
      headDim,
      dtype,
      kvLayout,
      causal,
      windowLeft,
      logitsSoftCap,
      maskDensity,
    });
  }
  return cases;
}
