import type { LlamaModel } from "../../examples/model/llama.ts";

/** Logits of every position of one sequence, computed in one step: f32 [ids.length * vocabSize]. */
export async function allLogits(model: LlamaModel, ids: readonly number[]): Promise<Float32Array> {
  using cache = model.createCache(Math.ceil(ids.length / 16), 16);
  using attention = model.createAttention();
  using idTensor = model.device.fromArray(ids, "i32");
  const sequences = [cache.createSequence()];
  const slots = cache.extend(sequences, [ids.length]);
  attention.plan({ qoIndptr: slots.qoIndptr, pages: cache.pageTable(sequences) });
  return await model.step({ ids: idTensor, slots, cache, attention }).read() as Float32Array;
}
