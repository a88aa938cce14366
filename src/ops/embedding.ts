/**
 * Looks up token embeddings.
 *
 * @module
 */
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { EmbeddingArgs } from "../ffi/structs.gen.ts";
import { expectTensor, placeOf, withOutput } from "./check.ts";

/** Arguments of {@linkcode embedding}. */
export interface EmbeddingOptions {
  /** i32 [numTokens]; an id outside the vocabulary gives a row of zeros. */
  ids: Tensor;
  /** [vocabSize, dim], contiguous. */
  table: Tensor;
  /** [numTokens, dim], contiguous. A new tensor by default. */
  out?: Tensor;
  /** The device's own by default. */
  stream?: Stream;
}

const args = new EmbeddingArgs();

/** `out[i] = table[ids[i]]`. Returns `out`. */
export function embedding({ ids, table, out, stream }: EmbeddingOptions): Tensor {
  const action = "look up embeddings";
  const place = placeOf(action, table, stream);
  const { device, dtype } = table;
  expectTensor(action, "table", table, device, ["bf16", "f16", "f32"], [-1, -1]);
  expectTensor(action, "ids", ids, device, "i32", [-1]);
  const [vocabSize, dim] = table.shape;
  const numTokens = ids.shape[0];
  return withOutput(out, () => device.tensor([numTokens, dim], dtype), (result) => {
    expectTensor(action, "out", result, device, dtype, [numTokens, dim]);
    table.assertContiguous(action, "table");
    result.assertContiguous(action, "out");
    if (numTokens === 0 || dim === 0) return;
    args.dtype = DTYPE_CODE[dtype];
    args.numTokens = numTokens;
    args.vocabSize = vocabSize;
    args.dim = dim;
    args.ids = ids.address;
    args.table = table.address;
    args.out = result.address;
    device.native.check(device.native.fp_embedding(place.handle, args.bytes), action);
  });
}
