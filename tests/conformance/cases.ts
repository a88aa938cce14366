/**
 * The table of attention cases that every backend must pass: named edge cases, and a grid that spans FlashInfer's own tests
 * (batch 1..128, kv 1..16384, page sizes, head dims, groups, windows, caps, masks). CI runs a seeded sample of the grid; FLASHPAGE_CONFORMANCE=full runs it all.
 */
import type { DType, KvLayout } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { fp8Cases } from "./fp8_cases.ts";

export interface AttentionCase {
  name: string;
  /** Query and KV tokens of each request. */
  qoLens: number[];
  kvLens: number[];
  /** If given, the first `sharedLen` KV tokens of all requests are a level of their own. */
  sharedLen?: number;
  /** Levels before that of `kvLens`, each with random groups of requests and random lengths of up to 300 tokens. */
  sharedLevels?: number;
  /** Groups list their requests in another order than they stand in the batch. */
  gathered?: boolean;
  pageSize: number;
  numKvHeads: number;
  groupSize: number;
  headDim: number;
  headDimVo?: number;
  dtype: DType;
  /** Of K and V, if another than that of q. */
  kvDtype?: DType;
  /** Of q, if another than `dtype`: e4m3 beside K and V of e4m3. */
  qDtype?: DType;
  /** FP8's scales: one of all heads, or one a head; none by default. */
  scales?: "tensor" | "heads";
  kvLayout?: KvLayout;
  causal?: boolean;
  windowLeft?: number;
  windowRight?: number;
  logitsSoftCap?: number;
  smScale?: number;
  /** Every request but each fourth has a random boolean mask with this share of ones. */
  maskDensity?: number;
  /** Standard deviation of q and k; 1 by default. Large ones make extreme logits. */
  magnitude?: number;
}

/** What most cases are. */
export const plain = { pageSize: 16, numKvHeads: 2, groupSize: 4, headDim: 128, dtype: "bf16" as DType };

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
  ...(["bf16", "f16"] as const).flatMap((dtype) =>
    [16, 5].map((pageSize): AttentionCase => ({
      ...plain,
      name: `scores that rise by far from tile to tile, ${dtype}, page ${pageSize}`,
      qoLens: [70],
      kvLens: [700],
      causal: true,
      magnitude: 16,
      dtype,
      pageSize,
    }))
  ),
  { ...plain, name: "another scale", qoLens: [1, 9], kvLens: [257, 100], smScale: 0.3 },
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
  {
    ...plain,
    name: "shared prefix that ends inside a page",
    qoLens: [1, 4, 1],
    kvLens: [90, 120, 77],
    sharedLen: 77,
    causal: true,
  },
  {
    ...plain,
    name: "shared prefix, windows that end before it",
    qoLens: [1, 20, 3],
    kvLens: [300, 260, 210],
    sharedLen: 200,
    causal: true,
    windowLeft: 40,
  },
  {
    ...plain,
    name: "three shared levels",
    qoLens: [1, 2, 33, 1, 5, 1],
    kvLens: [40, 0, 70, 9, 12, 31],
    sharedLevels: 3,
    gathered: true,
    causal: true,
  },
  {
    ...plain,
    name: "shared levels and masks",
    qoLens: [3, 2, 20, 1, 5],
    kvLens: [40, 10, 70, 9, 12],
    sharedLevels: 1,
    maskDensity: 0.4,
  },
  { ...plain, name: "f32", qoLens: [1, 40, 3], kvLens: [300, 70, 9], causal: true, dtype: "f32" },
  { ...plain, name: "e4m3", qoLens: [1, 40, 3], kvLens: [300, 70, 9], causal: true, kvDtype: "e4m3" },
  { ...plain, name: "e5m2", qoLens: [1, 40, 3], kvLens: [300, 70, 9], causal: true, kvDtype: "e5m2" },
  {
    ...plain,
    name: "e4m3 beside f32",
    qoLens: [1, 40, 3],
    kvLens: [300, 70, 9],
    causal: true,
    dtype: "f32",
    kvDtype: "e4m3",
    scales: "heads",
  },
  {
    ...plain,
    name: "e4m3, one scale of all heads",
    qoLens: [1, 33],
    kvLens: [257, 100],
    kvDtype: "e4m3",
    scales: "tensor",
  },
  {
    ...plain,
    name: "e4m3, a scale a head, soft cap",
    qoLens: [1, 40],
    kvLens: [150, 70],
    numKvHeads: 5,
    kvDtype: "e4m3",
    scales: "heads",
    logitsSoftCap: 5,
    magnitude: 4,
  },
  {
    ...plain,
    name: "e5m2, a scale a head, HND",
    qoLens: [1, 33],
    kvLens: [150, 70],
    causal: true,
    kvLayout: "HND",
    kvDtype: "e5m2",
    scales: "heads",
  },
  {
    ...plain,
    name: "e4m3, one long request beside short ones",
    qoLens: [1, 1, 1, 1],
    kvLens: [9000, 3, 17, 2],
    causal: true,
    kvDtype: "e4m3",
    scales: "heads",
  },
  {
    ...plain,
    name: "e4m3, extreme logits, subnormal elements",
    qoLens: [1, 9],
    kvLens: [257, 100],
    causal: true,
    magnitude: 2 ** -8,
    smScale: 3e4,
    kvDtype: "e4m3",
  },
  {
    ...plain,
    name: "e5m2, shared levels and masks",
    qoLens: [3, 2, 20, 1, 5],
    kvLens: [40, 10, 70, 9, 12],
    sharedLevels: 1,
    maskDensity: 0.4,
    kvDtype: "e5m2",
    scales: "tensor",
  },
  ...fp8Cases(plain),
  { ...plain, name: "every query alone", qoLens: Array(40).fill(1), kvLens: Array(40).fill(1), numKvHeads: 1 },
];

/** The axes of the grid. A value listed several times is drawn more often. */
export const GRID = {
  batch: [1, 2, 12, 17, 128],
  kvLen: [1, 54, 97, 512, 2048, 16384],
  qoLen: [1, 1, 1, 2, 17, 37, 127, 577],
  pageSize: [1, 5, 8, 16, 64],
  /** Of queries and keys, and of values. */
  headDims: [[64, 64], [96, 96], [128, 128], [192, 192], [192, 128], [256, 256]],
  groupSize: [1, 4, 7, 8],
  numKvHeads: [1, 2, 4],
  dtype: ["bf16", "f16"] as DType[],
  /** undefined: the same as that of q. */
  kvDtype: [undefined, undefined, undefined, undefined, undefined, undefined, "e4m3", "e5m2"] as (DType | undefined)[],
  scales: ["tensor", "heads", "heads"] as const,
  kvLayout: ["NHD", "HND"] as KvLayout[],
  logitsSoftCap: [0, 0, 0, 30],
  windowLeft: [-1, -1, -1, 5, 127, 533],
  windowRight: [-1, -1, -1, -1, 20],
  maskDensity: [undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, 0.1, 0.9],
  sharedLevels: [0, 0, 0, 0, 0, 0, 1, 3],
};

/** What a case of the grid may cost. Larger ones are drawn again. */
export interface GridLimits {
  /** Multiply-adds of a case: query-head rows x KV tokens x head dims. */
  maxWork: number;
  /** Elements of K. */
  maxKvElements: number;
  /** Elements of q. */
  maxQoElements: number;
}

/** A seeded sample of the grid. Lengths are uneven: each request draws from half its case's length up, and a few have no KV. */
export function gridCases(
  count: number,
  seed: number,
  { maxWork, maxKvElements, maxQoElements }: GridLimits,
): AttentionCase[] {
  const random = new Random(seed);
  const cases: AttentionCase[] = [];
  while (cases.length < count) {
    const [batch, kvMax, qoMax] = [random.pick(GRID.batch), random.pick(GRID.kvLen), random.pick(GRID.qoLen)];
    const [headDim, headDimVo] = random.pick(GRID.headDims);
    const [numKvHeads, groupSize] = [random.pick(GRID.numKvHeads), random.pick(GRID.groupSize)];
    const [dtype, pageSize, kvLayout] = [
      random.pick(GRID.dtype),
      random.pick(GRID.pageSize),
      random.pick(GRID.kvLayout),
    ];
    const [logitsSoftCap, windowLeft] = [random.pick(GRID.logitsSoftCap), random.pick(GRID.windowLeft)];
    const [windowRight, maskDensity] = [random.pick(GRID.windowRight), random.pick(GRID.maskDensity)];
    const [sharedLevels, gathered, causal] = [
      random.pick(GRID.sharedLevels),
      random.next() < 0.5,
      random.next() < 0.7,
    ];
    const [kvDtype, drawnScales] = [random.pick(GRID.kvDtype), random.pick(GRID.scales)];
    const scales = kvDtype === undefined ? undefined : drawnScales;
    const qDtype = kvDtype === "e4m3" && cases.length % 2 === 0 ? kvDtype : undefined;
    const kvLens = Array.from(
      { length: batch },
      () => random.next() < 0.03 ? 0 : random.integer(Math.ceil(kvMax / 2), kvMax),
    );
    const qoLens = Array.from({ length: batch }, () => random.integer(Math.ceil(qoMax / 2), qoMax));
    // A shared level adds 150 tokens to a request on average.
    const pairs = kvLens.reduce((sum, kvLen, i) => sum + (kvLen + 150 * sharedLevels) * qoLens[i], 0);
    const kvElements = kvLens.reduce((sum, kvLen) => sum + kvLen + 150 * sharedLevels, 0) * numKvHeads * headDim;
    const work = pairs * numKvHeads * groupSize * (headDim + headDimVo);
    const qoElements = qoLens.reduce((sum, qoLen) => sum + qoLen, 0) * numKvHeads * groupSize * headDim;
    if (work > maxWork || kvElements > maxKvElements || qoElements > maxQoElements) continue;
    if (maskDensity !== undefined && pairs > 3e6) continue;
    const words = [`b=${batch} qo<=${qoMax} kv<=${kvMax} page=${pageSize} hkv=${numKvHeads} group=${groupSize}`];
    words.push(`d=${headDim === headDimVo ? headDim : `${headDim}/${headDimVo}`} ${dtype} ${kvLayout}`);
    if (qDtype !== undefined) words.push(`q=${qDtype}`);
    if (kvDtype !== undefined) words.push(`kv=${kvDtype} scales=${scales}`);
    if (causal) words.push("causal");
    if (windowLeft >= 0) words.push(`left=${windowLeft}`);
    if (windowRight >= 0) words.push(`right=${windowRight}`);
    if (logitsSoftCap > 0) words.push(`cap=${logitsSoftCap}`);
    if (maskDensity !== undefined) words.push(`mask=${maskDensity}`);
    if (sharedLevels > 0) words.push(`levels=${sharedLevels}${gathered ? " gathered" : ""}`);
    cases.push({
      name: `${words.join(" ")} #${cases.length}`,
      qoLens,
      kvLens,
      pageSize,
      numKvHeads,
      groupSize,
      headDim,
      headDimVo,
      dtype,
      kvDtype,
      qDtype,
      scales,
      kvLayout,
      causal,
      windowLeft,
      windowRight,
      logitsSoftCap,
      maskDensity,
      sharedLevels,
      gathered,
    });
  }
  return cases;
}
