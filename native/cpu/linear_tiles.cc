// linear_tiles.cc: splits a product over the pool for the AMX kernel: each task is a run of outputs, so that each weight is read once.
#include <cstdlib>
#include <cstring>

#include "../host/backend.h"
#include "../host/error.h"
#include "float_convert.h"
#include "linear_amx.h"
#include "ops.h"

namespace fp::cpu {
namespace {

// Memory that grows and is kept from call to call.
struct Scratch {
  ~Scratch() { free(memory); }
  uint16_t *get(size_t elements) {
    if (elements > capacity) {
      free(memory);
      capacity = 0;
      memory = static_cast<uint16_t *>(aligned_alloc(64, (elements * 2 + 63) / 64 * 64));
      if (memory == nullptr) fail(FP_OUT_OF_MEMORY, "%zu bytes are wanted for a product's scratch memory.", elements * 2);
      capacity = elements;
    }
    return memory;
  }
  uint16_t *memory = nullptr;
  size_t capacity = 0;
};

}  // namespace

void linear_with_tiles(const fp_linear_args &args, ThreadPool &pool) {
  const int64_t k = args.in_dim, k_steps = (k + tile_k - 1) / tile_k, padded_k = k_steps * tile_k;
  const int token_blocks = (args.num_rows + tiles_block - 1) / tiles_block;
  const int64_t block_elements = padded_k * tiles_block;
  thread_local Scratch packed_memory;  // of the stream's thread; the pool's threads read it
  uint16_t *packed = packed_memory.get(static_cast<size_t>(token_blocks * block_elements));
  const uint16_t *x = at<const uint16_t>(args.x);
  const int64_t x_stride = static_cast<int64_t>(args.x_row_stride);
  pool.run(token_blocks, [&](int block, int) {
    const int first = block * tiles_block, count = args.num_rows - first < tiles_block ? args.num_rows - first : tiles_block;
    pack_tokens_amx(x + first * x_stride, x_stride, count, k, packed + block * block_elements);
  });

  const int out_blocks = (args.out_dim + tiles_block - 1) / tiles_block;
  // Some tasks a thread, to even out what the system interrupts; each long enough to stream its weights.
  const int tasks = out_blocks < 8 * pool.num_threads() ? out_blocks : 8 * pool.num_threads();
  const int out_bytes = args.out_dtype == FP_F32 ? 4 : 2;
  pool.run(tasks, [&](int task, int) {
    thread_local Scratch edge_memory;
    begin_tiles_amx();
    const int begin = static_cast<int>(int64_t{out_blocks} * task / tasks), end = static_cast<int>(int64_t{out_blocks} * (task + 1) / tasks);
    for (int block = begin; block < end; block++) {
      const int first = block * tiles_block, count = args.out_dim - first < tiles_block ? args.out_dim - first : tiles_block;
      TileProduct product = {};
      product.w = at<const uint16_t>(args.weight) + first * k;
      product.w_stride = k;
      if (count < tiles_block || padded_k != k) {
        // The tiles would read past the weight's rows or end: work on a padded copy.
        uint16_t *edge = edge_memory.get(static_cast<size_t>(tiles_block * padded_k));
        memset(edge, 0, static_cast<size_t>(tiles_block * padded_k) * 2);
        for (int row = 0; row < count; row++) memcpy(edge + row * padded_k, product.w + row * k, static_cast<size_t>(k) * 2);
        product.w = edge;
        product.w_stride = padded_k;
      }
      float bias[tiles_block] = {};
      if (args.bias != 0) {
        load_floats(args.dtype, at<const void>(args.bias), first, count, bias);
        product.bias = bias;
      }
      product.packed = packed;
      product.k_steps = k_steps;
      product.num_tokens = args.num_rows;
      product.num_outputs = count;
      product.out = at<char>(args.out) + static_cast<int64_t>(first) * out_bytes;
      product.out_stride = static_cast<int64_t>(args.out_row_stride);
      product.out_is_f32 = args.out_dtype == FP_F32;
      multiply_tiles_amx(product);
    }
    end_tiles_amx();
  });
}

}  // namespace fp::cpu
