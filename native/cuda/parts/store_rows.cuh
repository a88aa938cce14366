// store_rows.cuh: a row of results from the C fragments of the four lanes that share it, to out or to the workspace.
#pragma once
#include "parts/attention_plan.cuh"
#include "ptx/convert.cuh"

namespace fp {

// Among the four lanes of a row: lane t had columns 2t, 2t + 1 of four column tiles, and gets all eight of tile t.
__device__ __forceinline__ void transpose_quad(u32 (&v)[4], u32 lane) {
  const bool odd = lane & 1, high = lane & 2;
  u32 x = __shfl_xor_sync(0xffffffffu, odd ? v[0] : v[1], 1);
  u32 y = __shfl_xor_sync(0xffffffffu, odd ? v[2] : v[3], 1);
  const u32 w0 = odd ? x : v[0], w1 = odd ? v[1] : x, w2 = odd ? y : v[2], w3 = odd ? v[3] : y;
  x = __shfl_xor_sync(0xffffffffu, high ? w0 : w2, 2);
  y = __shfl_xor_sync(0xffffffffu, high ? w1 : w3, 2);
  v[0] = high ? x : w0;
  v[1] = high ? y : w1;
  v[2] = high ? w2 : x;
  v[3] = high ? w3 : y;
}

// Between neighbouring lanes: lane t had columns 2t, 2t + 1 of two column tiles. An even one gets columns 2t .. 2t + 3 of the first, an odd
// one 2t - 2 .. 2t + 1 of the second, so that the four lanes of a row hold 16 columns side by side.
__device__ __forceinline__ void exchange_pair(u32 (&v)[2], u32 lane) {
  const bool odd = lane & 1;
  const u32 x = __shfl_xor_sync(0xffffffffu, odd ? v[0] : v[1], 1);
  v[0] = odd ? x : v[0];
  v[1] = odd ? v[1] : x;
}

// A row of the warp's C fragments as f32. kSplit: of two neighbouring column tiles the first has the even columns of 16 (kv_fragments.cuh).
template <bool kSplit, int kTiles>
__device__ __forceinline__ void store_columns(float *row, const float (&values)[kTiles][4], int half, float scale, u32 lane) {
#pragma unroll
  for (int n = 0; n < kTiles; n += 2) {
    const float x0 = values[n][2 * half] * scale, x1 = values[n][2 * half + 1] * scale;
    const float y0 = values[n + 1][2 * half] * scale, y1 = values[n + 1][2 * half + 1] * scale;
    if constexpr (kSplit) {
      *reinterpret_cast<float4 *>(row + 8 * n + lane % 4 * 4) = make_float4(x0, y0, x1, y1);
    } else {
      *reinterpret_cast<float2 *>(row + 8 * n + lane % 4 * 2) = make_float2(x0, x1);
      *reinterpret_cast<float2 *>(row + 8 * n + 8 + lane % 4 * 2) = make_float2(y0, y1);
    }
  }
}

// The same in 16 bits, if the row exists. By all lanes.
template <bool kSplit, typename Dtype, int kTiles>
__device__ __forceinline__ void store_packed(char *row, const float (&values)[kTiles][4], int half, float scale, u32 lane, bool exists) {
  if constexpr (kSplit) {
#pragma unroll
    for (int n = 0; n < kTiles; n += 2) {
      const u32 low = ptx::pack(values[n][2 * half] * scale, values[n + 1][2 * half] * scale, Dtype{});
      const u32 high = ptx::pack(values[n][2 * half + 1] * scale, values[n + 1][2 * half + 1] * scale, Dtype{});
      if (exists) *reinterpret_cast<uint2 *>(row + n * 16 + lane % 4 * 8) = make_uint2(low, high);
    }
  } else {
#pragma unroll
    for (int n = 0; n < kTiles; n += 4) {
      u32 packed[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) packed[i] = ptx::pack(values[n + i][2 * half] * scale, values[n + i][2 * half + 1] * scale, Dtype{});
      transpose_quad(packed, lane);
      if (exists) *reinterpret_cast<uint4 *>(row + n * 16 + lane % 4 * 16) = make_uint4(packed[0], packed[1], packed[2], packed[3]);
    }
  }
}

// The LSE of a tile's row, if it has one.
__device__ __forceinline__ void store_lse(const AttentionParams &p, const TileRows &rows, const RowTarget &target, i32 row, float lse) {
  if (row >= rows.num_rows(p)) return;
  if (target.partial_row >= 0) {
    p.partial_lse[target.partial_row + row] = lse;
  } else if (p.lse != nullptr) {
    const i32 token_of_tile = divide(row, p.by_group);
    const i32 token = rows.token(p, token_of_tile);
    if (token >= 0) p.lse[static_cast<i64>(token) * p.num_qo_heads + target.head + row - token_of_tile * p.group] = lse;
  }
}

// The output of a tile's row, if it has one. values[4 n + 2 half + e]: column 8 n + 2 (lane % 4) + e; kSplit: of each 16 columns, the even ones
// are where the first eight would be. By all lanes.
template <int kDimVo, typename Dtype, bool kSplit = false>
__device__ __forceinline__ void store_row(const AttentionParams &p, const TileRows &rows, const RowTarget &target, i32 row, const float (&values)[kDimVo / 2], int half,
                                          float scale, u32 lane) {
  const bool exists = row < rows.num_rows(p);
  if (target.partial_row >= 0) {
    if (!exists) return;
    float *to = p.partial_out + (static_cast<i64>(target.partial_row) + row) * kDimVo + lane % 4 * (kSplit ? 4 : 2);
    if constexpr (kSplit) {
#pragma unroll
      for (int n = 0; n < kDimVo / 8; n += 2) {
        const float *even = values + 4 * n + 2 * half, *odd = even + 4;
        *reinterpret_cast<float4 *>(to + 8 * n) = make_float4(even[0] * scale, odd[0] * scale, even[1] * scale, odd[1] * scale);
      }
    } else {
#pragma unroll
      for (int n = 0; n < kDimVo / 8; ++n) {
        *reinterpret_cast<float2 *>(to + 8 * n) = make_float2(values[4 * n + 2 * half] * scale, values[4 * n + 2 * half + 1] * scale);
      }
    }
    return;
  }
  const i32 token_of_tile = divide(row, p.by_group);
  const i32 token = exists ? rows.token(p, token_of_tile) : -1;
  const i32 head = target.head + row - token_of_tile * p.group;
  char *to = p.out + (token >= 0 ? token * p.out_token_bytes + head * p.out_head_bytes : 0);
  if constexpr (kSplit) {
#pragma unroll
    for (int n = 0; n < kDimVo / 8; n += 2) {
      const float *even = values + 4 * n + 2 * half, *odd = even + 4;
      const u32 low = ptx::pack(even[0] * scale, odd[0] * scale, Dtype{}), high = ptx::pack(even[1] * scale, odd[1] * scale, Dtype{});
      if (token >= 0) *reinterpret_cast<uint2 *>(to + n * 16 + lane % 4 * 8) = make_uint2(low, high);
    }
  } else {
    // 32 bytes of a row at a time, which is what memory writes: wider stores need twice the exchanges. With 256 columns they do need fewer
    // registers.
    constexpr int kTiles = kDimVo > 192 ? 4 : 2;
    to += kTiles == 4 ? lane % 4 * 16 : lane % 2 * 16 + lane / 2 % 2 * 8;
#pragma unroll
    for (int n = 0; n < kDimVo / 8; n += kTiles) {
      u32 packed[kTiles];
#pragma unroll
      for (int i = 0; i < kTiles; ++i) packed[i] = ptx::pack(values[4 * (n + i) + 2 * half] * scale, values[4 * (n + i) + 2 * half + 1] * scale, Dtype{});
      if constexpr (kTiles == 4) {
        transpose_quad(packed, lane);
        if (token >= 0) *reinterpret_cast<uint4 *>(to + n * 16) = make_uint4(packed[0], packed[1], packed[2], packed[3]);
      } else {
        exchange_pair(packed, lane);
        if (token >= 0) *reinterpret_cast<uint2 *>(to + n * 16) = make_uint2(packed[0], packed[1]);
      }
    }
  }
}

}  // namespace fp
