// linear_amx.h: x . w^T by AMX tiles. Plain C types only: the file compiled for AMX includes this.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../flashpage.h"

namespace fp::cpu {

class ThreadPool;

// A tile holds 16 rows of 64 bytes.
constexpr int tile_rows = 16;
constexpr int tile_k = 32;      // bf16 elements of a row
constexpr int tiles_block = 32;  // two tiles: the block of outputs and of tokens computed at a time

// Packs 32 tokens of x (missing ones are zeros) as the tiles' second operand: for each step of 32 k, two tiles [16 pairs of k][16 tokens][2].
// packed: k_steps * 1024 elements.
void pack_tokens_amx(const uint16_t *x, int64_t x_stride, int num_tokens, int64_t k, uint16_t *packed);

struct TileProduct {
  const uint16_t *w;  // [tiles_block rows, k]: all rows readable, k a multiple of tile_k or padded by the caller
  int64_t w_stride;
  const uint16_t *packed;  // token blocks, each k_steps * 1024 elements
  int64_t k_steps;
  int num_tokens;
  int num_outputs;    // of the block's 32, how many are stored
  const float *bias;  // [tiles_block] or null
  void *out;          // element (token 0, output 0)
  int64_t out_stride;
  int out_is_f32;
};

// Tile registers belong to a thread: configure before, release after.
void begin_tiles_amx();
void end_tiles_amx();
void multiply_tiles_amx(const TileProduct &product);

// Splits the outputs over the pool. linear_tiles.cc
void linear_with_tiles(const fp_linear_args &args, ThreadPool &pool);

}  // namespace fp::cpu
