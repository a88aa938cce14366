/** The table of attention cases for slow machines, such as the emulated GPU. */
import type { DType } from "../../mod.ts";
import { type AttentionCase, GRID, gridCases, type GridLimits, plain } from "./cases.ts";
import { FP8_HEAD_DIMS, smallFp8Cases } from "./fp8_cases.ts";

/** Of q, and of K and V, in mixed batches of that table; undefined: the output's. */
export const MIXED_DTYPES: readonly (readonly [qDtype: DType | undefined, kvDtype: DType | undefined])[] = [
  [undefined, undefined],
  [undefined, "e4m3"],
  ["e4m3", "e4m3"],
];

/**
 * A table for slow machines: of small cases, the first that needs each kernel. On CUDA those differ by head dims and dtype; by how many rows a tile
 * has; and for many rows, by whether pages are made of whole boxes, and whether there is a soft cap or a mask.
 */
export function smallCases(seed: number): AttentionCase[] {
  const limits: GridLimits = { maxWork: 2e7, maxKvElements: 3e5, maxQoElements: 1e5 };
  const chosen = new Map<string, AttentionCase>();
  for (const attention of gridCases(2000, seed, limits)) {
    if (attention.kvDtype !== undefined) continue;
    const { headDim, headDimVo, dtype, qoLens, groupSize, pageSize, logitsSoftCap = 0, maskDensity } = attention;
    const words: (string | number | boolean | undefined)[] = [headDim, headDimVo, dtype];
    const hasManyRows = Math.max(...qoLens) * groupSize > 16;
    if (hasManyRows) words.push(pageSize % 8 === 0, logitsSoftCap > 0 || maskDensity !== undefined);
    const kind = words.join(" ");
    if (!chosen.has(kind)) chosen.set(kind, attention);
  }
  // One long request, which the CTAs share, for every merge: of few rows, which the attention kernel does, and of many.
  for (const [headDim, headDimVo] of GRID.headDims) {
    for (const dtype of GRID.dtype) {
      for (const qoLen of [1, 40]) {
        const name = `one long request of ${qoLen}, d=${headDim}/${headDimVo} ${dtype}`;
        chosen.set(name, { ...plain, name, qoLens: [qoLen], kvLens: [1500], numKvHeads: 1, headDim, headDimVo, dtype });
      }
    }
  }
  // Both FP8 dtypes are one kernel.
  for (const headDim of FP8_HEAD_DIMS) {
    for (const dtype of GRID.dtype) {
      for (const kvDtype of ["e4m3", "e5m2"] as const) {
        const name = `${kvDtype}, d=${headDim} ${dtype}`;
        const lens = { qoLens: [1, 40, 3], kvLens: [300, 70, 9], causal: true };
        chosen.set(name, { ...plain, name, ...lens, headDim, dtype, kvDtype, scales: "heads" });
      }
    }
  }
  // Without a tile of many rows, Hopper has another kernel.
  for (const headDim of FP8_HEAD_DIMS) {
    for (const [dtype, kvDtype] of [["bf16", "e4m3"], ["f16", "e5m2"]] as const) {
      const name = `decoding from ${kvDtype}, d=${headDim} ${dtype}`;
      const lens = { qoLens: [1, 2, 1], kvLens: [300, 70, 9], causal: true };
      chosen.set(name, { ...plain, name, ...lens, headDim, dtype, kvDtype, scales: "heads" });
    }
  }
  // On four SMs, prefill tiles have some of them for themselves.
  for (const dtype of GRID.dtype) {
    for (const [qDtype, kvDtype] of MIXED_DTYPES) {
      const name = `many decodes beside a chunk, ${dtype}, q=${qDtype ?? dtype} kv=${kvDtype ?? dtype}`;
      const lens = { qoLens: [...Array(20).fill(1), 90], kvLens: [...Array(20).fill(2200), 300], causal: true };
      const scales = kvDtype === undefined ? undefined : "heads";
      chosen.set(name, { ...plain, name, ...lens, numKvHeads: 1, headDim: 64, dtype, qDtype, kvDtype, scales });
    }
  }
  for (const attention of smallFp8Cases(plain, GRID.dtype)) chosen.set(attention.name, attention);
  return [...chosen.values()];
}
