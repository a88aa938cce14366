#include "fp8_queries.h"

#include <algorithm>
#include <cstdio>

#include "../../host/check.h"
#include "../parts/query_params.h"
#include "access.h"

namespace fp::cuda {

void convert_fp8_queries(const Launch &launch, const fp_attention_args &args, AttentionParams &params) {
  const long long row_bytes = 2ll * args.head_dim_qk, token_bytes = row_bytes * args.num_qo_heads;
  QueryParams p{};
  p.q = at<const char>(args.q);
  p.out = static_cast<char *>(scratch_memory(launch, static_cast<size_t>(token_bytes) * static_cast<size_t>(args.num_tokens)));
  p.head_scales = at<const float>(args.q_head_scales);
  p.q_token_bytes = static_cast<long long>(args.q_token_stride);
  p.q_head_bytes = static_cast<long long>(args.q_head_stride);
  p.num_heads = args.num_qo_heads;
  p.chunks_of_row = args.head_dim_qk / 16;
  p.num_chunks = static_cast<long long>(args.num_tokens) * args.num_qo_heads * p.chunks_of_row;
  char name[32];
  snprintf(name, sizeof name, "queries_from_fp8_%s", dtype_suffix(args.dtype));
  const int64_t num_ctas = std::min<int64_t>(divide_up(p.num_chunks, query_threads), 8 * num_sms(launch.device));
  launch_kernel(launch, find_kernel(launch.device, "queries_from_fp8", name), {static_cast<unsigned>(num_ctas)}, query_threads, 0, &p);
  params.q = p.out;
  params.q_token_bytes = token_bytes;
  params.q_head_bytes = row_bytes;
}

}  // namespace fp::cuda
