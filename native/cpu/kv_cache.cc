// kv_cache.cc: writing new keys and values to their slots, as they are or as FP8, and copying pages.
#include <cstring>

#include "../host/backend.h"
#include "../host/error.h"
#include "choose_rows.h"
#include "float_convert.h"
#include "kv_scale.h"
#include "ops.h"

namespace fp::cpu {
namespace {

constexpr int max_head_dim = 256;

char *element(fp_address base, double offset, int bytes) { return at<char>(base) + static_cast<int64_t>(offset) * bytes; }

// One head's row as FP8; rotated before if rotary_dim > 0.
void quantise_row(const fp_kv_append_args &args, const ModelRows &rows, const char *source, int dim, int rotary_dim, const float *cosines, const float *sines, float scale, char *target) {
  float row[max_head_dim];
  load_floats(args.dtype, source, 0, dim, row);
  if (rotary_dim > 0) rows.rotate(FP_F32, row, row, rotary_dim, args.rope_interleaved != 0, cosines, sines);
  rows.quantise(args.cache_dtype, row, dim, scale, reinterpret_cast<uint8_t *>(target));
}

}  // namespace

void kv_append(const fp_kv_append_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  const int bytes = float_bytes(args.dtype), cache_bytes = float_bytes(args.cache_dtype);
  const int32_t *slots = at<const int32_t>(args.slots);
  const int64_t num_slots = int64_t{args.num_pages} * args.page_size;
  constexpr int chunk = 16;
  pool.run((args.num_tokens + chunk - 1) / chunk, [&](int index, int) {
    constexpr int spare = 16;  // see ModelRows::angles
    float cosines[max_head_dim / 2 + spare], sines[max_head_dim / 2 + spare];
    for (int token = index * chunk; token < args.num_tokens && token < (index + 1) * chunk; token++) {
      const int slot = slots[token];
      if (slot < 0) continue;
      if (slot >= num_slots) fail(FP_INVALID_ARGUMENT, "token %d goes to slot %d, and the cache has %lld. Extend the sequences again.", token, slot, static_cast<long long>(num_slots));
      const double page = slot / args.page_size, in_page = slot % args.page_size;
      if (args.rotary_dim > 0) rows.angles(at<const int32_t>(args.positions)[token], at<const float>(args.inv_freq), args.rotary_dim / 2, cosines, sines);
      for (int head = 0; head < args.num_kv_heads; head++) {
        const char *k = element(args.k, args.k_token_stride * token + args.k_head_stride * head, bytes);
        const char *v = element(args.v, args.v_token_stride * token + args.v_head_stride * head, bytes);
        char *k_target = element(args.k_cache, args.k_page_stride * page + args.k_cache_token_stride * in_page + args.k_cache_head_stride * head, cache_bytes);
        char *v_target = element(args.v_cache, args.v_page_stride * page + args.v_cache_token_stride * in_page + args.v_cache_head_stride * head, cache_bytes);
        if (args.cache_dtype != args.dtype) {
          quantise_row(args, rows, k, args.head_dim_qk, args.rotary_dim, cosines, sines, kv_scale("k", args.k_scale, args.k_head_scales, head), k_target);
          quantise_row(args, rows, v, args.head_dim_vo, 0, cosines, sines, kv_scale("v", args.v_scale, args.v_head_scales, head), v_target);
          continue;
        }
        memcpy(v_target, v, static_cast<size_t>(args.head_dim_vo) * bytes);
        if (args.rotary_dim == 0) {
          memcpy(k_target, k, static_cast<size_t>(args.head_dim_qk) * bytes);
          continue;
        }
        rows.rotate(args.dtype, k, k_target, args.rotary_dim, args.rope_interleaved != 0, cosines, sines);
        const size_t rotated = static_cast<size_t>(args.rotary_dim) * bytes;
        memcpy(k_target + rotated, k + rotated, static_cast<size_t>(args.head_dim_qk) * bytes - rotated);
      }
    }
  });
}

void kv_copy_pages(const fp_kv_copy_pages_args &args, ThreadPool &pool, Isa) {
  const int bytes = float_bytes(args.dtype);
  const int32_t *pairs = at<const int32_t>(args.pairs);
  pool.run(args.num_copies, [&](int index, int) {
    const int source = pairs[2 * index], target = pairs[2 * index + 1];
    if (source < 0 || source >= args.num_pages || target < 0 || target >= args.num_pages) {
      fail(FP_INVALID_ARGUMENT, "page %d is to be copied to %d, and the cache has %d pages.", source, target, args.num_pages);
    }
    for (int token = 0; token < args.page_size; token++) {
      for (int head = 0; head < args.num_kv_heads; head++) {
        const double k = args.k_cache_token_stride * token + args.k_cache_head_stride * head, v = args.v_cache_token_stride * token + args.v_cache_head_stride * head;
        memcpy(element(args.k_cache, args.k_page_stride * target + k, bytes), element(args.k_cache, args.k_page_stride * source + k, bytes), static_cast<size_t>(args.head_dim_qk) * bytes);
        memcpy(element(args.v_cache, args.v_page_stride * target + v, bytes), element(args.v_cache, args.v_page_stride * source + v, bytes), static_cast<size_t>(args.head_dim_vo) * bytes);
      }
    }
  });
}

}  // namespace fp::cpu
