#include "prefill_sm90.h"

#include <cstdio>

#include "../../host/check.h"
#include "../parts/prefill_params_sm90.h"
#include "../parts/prefill_tiles_sm90.h"
#include "access.h"
#include "kv_map.h"

namespace fp::cuda {
namespace {

PrefillTile90 tile_of(int head_dim_qk, int head_dim_vo, bool fp8, bool gathers, bool has_features) {
  return fp8 ? prefill_tile_fp8_sm90(head_dim_qk) : prefill_tile_sm90(head_dim_qk, head_dim_vo, gathers, has_features);
}

}  // namespace

bool has_prefill_sm90(CudaDevice &device) { return compute_capability(device) == 90 && image_arch(device) == 90; }

void prefill_limits_sm90(CudaDevice &device, int head_dim_qk, int head_dim_vo, bool fp8, fp_attention_limits &limits) {
  const PrefillTile90 tile = tile_of(head_dim_qk, head_dim_vo, fp8, false, false);
  limits.prefill_rows = prefill_rows_sm90(tile);
  limits.prefill_kv_tile = tile.kv_tile;
  limits.prefill_ctas = num_sms(device);
}

void launch_prefill_sm90(const Launch &launch, const fp_attention_args &args, const AttentionParams &attention) {
  PrefillParams90 params{};
  params.attention = attention;
  const bool has_features = args.logits_soft_cap > 0 || args.custom_mask != 0;
  const bool fp8 = is_fp8(args.kv_dtype);
  PrefillTile90 tile = tile_of(args.head_dim_qk, args.head_dim_vo, fp8, false, has_features);
  params.box_tokens = kv_box_tokens(args.page_size, tile.kv_tile);
  bool gathers = params.box_tokens < smallest_kv_box;
  if (!gathers && args.num_pages > 0) gathers = !describe_kv(args, params);
  if (gathers) tile = tile_of(args.head_dim_qk, args.head_dim_vo, fp8, true, has_features);

  const ShapeSuffix shape(args.head_dim_qk, args.head_dim_vo);
  char module[48], name[64];
  snprintf(module, sizeof module, "sm90_prefill_%s%s", shape.text, fp8 ? "_fp8" : "");
  snprintf(name, sizeof name, "prefill_%s_%s%s%s%s", shape.text, dtype_suffix(args.dtype), fp8 ? "_fp8" : "", gathers ? "_gather" : "", has_features ? "_features" : "");
  const int shared_bytes = fp8 ? prefill_shared_bytes_fp8_sm90(tile, args.head_dim_qk) : prefill_shared_bytes_sm90(tile, args.head_dim_qk, args.head_dim_vo);
  Kernel &kernel = find_kernel(launch.device, module, name, shared_bytes);
  launch_kernel(launch, kernel, {static_cast<unsigned>(num_sms(launch.device))}, static_cast<unsigned>(prefill_threads_sm90(tile)), static_cast<unsigned>(shared_bytes), &params);
}

}  // namespace fp::cuda
