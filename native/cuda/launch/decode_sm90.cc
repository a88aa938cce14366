#include "decode_sm90.h"

#include <cstdio>

#include "../../host/check.h"
#include "../parts/attention_tiles.cuh"
#include "../parts/prefill_params_sm90.h"
#include "../parts/prefill_tiles_sm90.h"
#include "access.h"
#include "cuda.h"
#include "kv_map.h"

namespace fp::cuda {

bool launch_decode_sm90(const Launch &launch, const fp_attention_args &args, const AttentionParams &attention, unsigned num_threads, unsigned shared_bytes) {
  PrefillParams90 params{};
  params.attention = attention;
  params.box_tokens = decode_chunk;
  if (attention.num_pages == 0 || kv_box_tokens(args.page_size, decode_chunk) != decode_chunk || !describe_kv(args, params)) return false;
  const ShapeSuffix shape(args.head_dim_qk, args.head_dim_vo);
  char module[48], name[64];
  const char *fp8 = is_fp8(args.kv_dtype) ? "_fp8" : "";
  snprintf(module, sizeof module, "sm90_decode_%s%s", shape.text, fp8);
  snprintf(name, sizeof name, "decode_%s_%s%s", shape.text, dtype_suffix(args.dtype), fp8);
  Kernel &kernel = find_kernel(launch.device, module, name, static_cast<int>(shared_bytes));
  launch_kernel(launch, kernel, {static_cast<unsigned>(args.num_ctas)}, num_threads, shared_bytes, &params);
  return true;
}

}  // namespace fp::cuda
