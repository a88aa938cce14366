/** Cases of FP8 throughout: queries, keys and values of e4m3, which prefill on Hopper computes without leaving FP8. */
import type { DType } from "../../mod.ts";
import type { AttentionCase } from "./cases.ts";

/** Those for which CUDA has kernels that read FP8. */
export const FP8_HEAD_DIMS = [64, 128, 192, 256];

/** Those for which Hopper computes prefill in FP8 throughout. */
export const FP8_PREFILL_HEAD_DIMS = [64, 128, 256];

/** Edge cases: q beside K and V of e4m3. `plain`: what they change. */
export function fp8Cases(plain: Omit<AttentionCase, "name" | "qoLens" | "kvLens">): AttentionCase[] {
  const fp8: AttentionCase = {
    ...plain,
    name: "e4m3 throughout",
    qoLens: [70, 1, 200],
    kvLens: [300, 90, 410],
    causal: true,
    kvDtype: "e4m3",
    qDtype: "e4m3",
    scales: "heads",
  };
  const of = (name: string, changes: Partial<AttentionCase>): AttentionCase => ({
    ...fp8,
    name: `${fp8.name}, ${name}`,
    ...changes,
  });
  return [
    ...FP8_HEAD_DIMS.flatMap((headDim) =>
      [1, 16, 64].map((pageSize) => of(`d=${headDim}, page ${pageSize}`, { headDim, pageSize }))
    ),
    of("f16, one scale of all heads, no mask", { dtype: "f16", scales: "tensor", causal: false }),
    of("windows", { windowLeft: 37, windowRight: 5, causal: false, kvLens: [300, 1, 410] }),
    of("windows that hide the first tiles", { windowLeft: 3, qoLens: [300], kvLens: [700], headDim: 64 }),
    of("soft cap", { logitsSoftCap: 5, magnitude: 4 }),
    of("soft cap, page 5", { logitsSoftCap: 30, pageSize: 5, headDim: 256 }),
    of("masks", { maskDensity: 0.3, causal: false, qoLens: [70, 3, 40, 20, 90], kvLens: [300, 90, 210, 64, 130] }),
    of("masks, page 1", { maskDensity: 0.03, pageSize: 1, headDim: 64 }),
    of("HND, pages of 8", { kvLayout: "HND", pageSize: 8 }),
    of("empty sequences among others", { qoLens: [40, 33, 50, 40], kvLens: [0, 64, 128, 0] }),
    of("empty sequences among others, page 5", { qoLens: [40, 33, 50, 40], kvLens: [0, 64, 129, 0], pageSize: 5 }),
    of("more queries than keys", { qoLens: [300], kvLens: [130], pageSize: 5, headDim: 256 }),
    of("shared levels", { qoLens: [5, 80, 33, 60], kvLens: [40, 0, 170, 9], sharedLevels: 2, gathered: true }),
    of("one long request", { qoLens: [40], kvLens: [1500], numKvHeads: 1 }),
    of("group of 17", { qoLens: [2, 40], kvLens: [200, 77], numKvHeads: 1, groupSize: 17 }),
    ...[16, 5].flatMap((pageSize) =>
      FP8_PREFILL_HEAD_DIMS.map((headDim) =>
        of(`scores that rise by far from tile to tile, d=${headDim}, page ${pageSize}`, {
          qoLens: [70],
          kvLens: [700],
          magnitude: 16,
          pageSize,
          headDim,
        })
      )
    ),
    of("scores that rise a little from tile to tile", { qoLens: [70], kvLens: [700], magnitude: 2 }),
    of("equal scores", { magnitude: 0 }),
  ];
}

/** A small case for each of its kernels: from boxes or rows gathered one by one, with soft cap and masks or without. */
export function smallFp8Cases(
  plain: Omit<AttentionCase, "name" | "qoLens" | "kvLens">,
  dtypes: readonly DType[],
): AttentionCase[] {
  const cases: AttentionCase[] = [];
  for (const headDim of FP8_PREFILL_HEAD_DIMS) {
    for (const dtype of dtypes) {
      for (const pageSize of [16, 5]) {
        for (const logitsSoftCap of [0, 30]) {
          const name = `e4m3 throughout, d=${headDim} ${dtype} page=${pageSize} cap=${logitsSoftCap}`;
          const lens = {
            qoLens: [1, 60, 17],
            kvLens: [300, 150, 33],
            causal: true,
            kvDtype: "e4m3",
            qDtype: "e4m3",
          } as const;
          const attention = { ...plain, name, ...lens, qoLens: [...lens.qoLens], kvLens: [...lens.kvLens] };
          cases.push({ ...attention, headDim, dtype, pageSize, logitsSoftCap, scales: "heads" });
        }
      }
    }
  }
  return cases;
}
