// Embedding lookup by pieces of 16, 4 and 2 bytes: the largest that rows are made of.
#include "kernels/embedding.cuh"

#define FP_INSTANTIATE_EMBEDDING(kBytes, Raw)                                                                                         \
  extern "C" __global__ void __launch_bounds__(fp::model_op_threads) embedding_##kBytes(const __grid_constant__ fp::EmbeddingParams params) { \
    fp::embedding<Raw>(params);                                                                                                       \
  }

FP_INSTANTIATE_EMBEDDING(16, uint4)
FP_INSTANTIATE_EMBEDDING(4, fp::u32)
FP_INSTANTIATE_EMBEDDING(2, fp::u16)
