// model_ops.cc: norm, rotation, activation and embedding, split over the pool by rows.
#include <cstring>

#include "../host/backend.h"
#include "choose_rows.h"
#include "ops.h"
#include "scratch.h"

namespace fp::cpu {
namespace {

int element_bytes(int dtype) { return dtype == FP_F32 ? 4 : 2; }

// Calls task(row) for each row; small jobs stay on one thread, since waking others costs more than they save.
template <typename Task>
void for_rows(ThreadPool &pool, int64_t num_rows, int64_t elements_a_row, const Task &task) {
  constexpr int64_t chunk_elements = 16384;
  const int64_t rows_a_chunk = elements_a_row >= chunk_elements ? 1 : chunk_elements / (elements_a_row > 0 ? elements_a_row : 1);
  const int64_t chunks = (num_rows + rows_a_chunk - 1) / rows_a_chunk;
  pool.run(static_cast<int>(chunks), [&](int index, int) {
    const int64_t begin = index * rows_a_chunk, end = begin + rows_a_chunk < num_rows ? begin + rows_a_chunk : num_rows;
    for (int64_t row = begin; row < end; row++) task(row);
  });
}

char *row_at(fp_address base, double stride, int64_t row, int bytes) { return at<char>(base) + static_cast<int64_t>(stride) * row * bytes; }

}  // namespace

void rms_norm(const fp_rms_norm_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  const int bytes = element_bytes(args.dtype);
  for_rows(pool, args.num_rows, args.dim, [&](int64_t row) {
    thread_local ScratchMemory memory;
    void *residual = args.residual == 0 ? nullptr : row_at(args.residual, args.residual_row_stride, row, bytes);
    rows.rms_norm(args.dtype, args.dim, args.eps, row_at(args.x, args.x_row_stride, row, bytes), residual, at<void>(args.weight), row_at(args.out, args.out_row_stride, row, bytes), memory.get<float>(args.dim));
  });
}

void silu_and_mul(const fp_silu_and_mul_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  const int bytes = element_bytes(args.dtype);
  for_rows(pool, args.num_rows, args.dim, [&](int64_t row) {
    const char *gate = row_at(args.x, args.x_row_stride, row, bytes);
    rows.silu_and_mul(args.dtype, args.dim, gate, gate + static_cast<int64_t>(args.dim) * bytes, row_at(args.out, args.out_row_stride, row, bytes));
  });
}

void rope(const fp_rope_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  const int bytes = element_bytes(args.dtype), half = args.rotary_dim / 2;
  for_rows(pool, args.num_tokens, int64_t{args.num_heads} * args.head_dim, [&](int64_t token) {
    thread_local ScratchMemory memory;
    constexpr int spare = 16;  // see ModelRows::angles
    float *cosines = memory.get<float>(static_cast<size_t>(half + spare) * 2), *sines = cosines + half + spare;
    rows.angles(at<const int32_t>(args.positions)[token], at<const float>(args.inv_freq), half, cosines, sines);
    for (int h = 0; h < args.num_heads; h++) {
      char *x = at<char>(args.x) + (static_cast<int64_t>(args.x_token_stride) * token + static_cast<int64_t>(args.x_head_stride) * h) * bytes;
      rows.rotate(args.dtype, x, x, args.rotary_dim, args.interleaved != 0, cosines, sines);
    }
  });
}

void embedding(const fp_embedding_args &args, ThreadPool &pool, Isa) {
  const size_t row_bytes = static_cast<size_t>(args.dim) * element_bytes(args.dtype);
  for_rows(pool, args.num_tokens, args.dim, [&](int64_t token) {
    const int id = at<const int32_t>(args.ids)[token];
    char *out = at<char>(args.out) + token * row_bytes;
    if (id < 0 || id >= args.vocab_size) memset(out, 0, row_bytes);
    else memcpy(out, at<const char>(args.table) + id * row_bytes, row_bytes);
  });
}

}  // namespace fp::cpu
