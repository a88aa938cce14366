// sm80_attention_traits.cuh: an attention kernel's compile-time choices, from the table of attention_tiles.cuh.
#pragma once
#include "parts/attention_tiles.cuh"
#include "parts/kv_fragments.cuh"
#include "parts/types.cuh"

namespace fp {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1000
constexpr int kTileArch = 90;
#else
constexpr int kTileArch = 80;
#endif

// kFp8Kv: K and V are e4m3 or e5m2, the params say which.
template <typename DtypeTag, int kQk, int kVo, bool kFp8Kv>
struct AttentionTraits {
  using Dtype = DtypeTag;
  static constexpr bool kFp8 = kFp8Kv;
  static constexpr int kKvBytes = kFp8 ? 1 : 2;
  static_assert(!kFp8 || (kQk == kVo && kQk % 32 == 0 && kQk != 96));
  static constexpr AttentionTile kTile = kFp8 ? attention_tile_fp8(kTileArch, kQk) : attention_tile(kTileArch, kQk, kVo);
  using Keys = KvRows<kQk, kFp8>;
  using Values = KvRows<kVo, kFp8>;
  static constexpr int kDimQk = kQk;
  static constexpr int kDimVo = kVo;
  static constexpr int kThreads = kTile.num_warps * 32;
  static constexpr int kCtasPerSm = kTile.ctas_per_sm;
  static constexpr int kRowTiles = kTile.row_tiles;
  static constexpr int kWarpRows = kRowTiles * 16;
  static constexpr int kPrefillRows = prefill_rows(kTile);
  static constexpr int kPrefillKvTile = kTile.prefill_kv_tile;
  static constexpr int kDecodeSlots = kTile.decode_slots;
  static constexpr int kDecodeSlotBytes = decode_slot_bytes(kQk, kVo, kKvBytes);
  static_assert(prefill_cut % kPrefillKvTile == 0);
};

}  // namespace fp
