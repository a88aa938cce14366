// sm90_prefill_units.cuh: drawing units from the plan's queue, and handing them round.
#pragma once
#include "kernels/sm90_prefill_shared.cuh"

namespace fp {

// False for the CTAs of the launch that the plan has no work for: their SMs are for decode tiles.
__device__ __forceinline__ bool draws_units(const AttentionParams &p) { return static_cast<i32>(blockIdx.x) < __ldg(&p.header->num_prefill_ctas); }

// Draws units and publishes them. By one warp of the CTA.
template <typename Traits>
class UnitDrawer {
  using Shared = PrefillShared90<Traits>;

 public:
  // Draws the next unit, the CTA's index-th, and publishes it, once there is room. False: what it published is that there are no more.
  __device__ __forceinline__ bool publish(const AttentionParams &p, Shared &shared, u32 index) {
    const u32 lane = ptx::lane_anew();
    const RingPosition<Shared::kUnits> position{index};
    PrefillUnit &unit = shared.units[position.slot()];
    ptx::mbarrier_wait_asleep(ptx::shared_address(&shared.unit_empty[position.slot()]), position.phase() ^ 1);
    const QueueSize size(p);
    const i32 drawn = index == 0 ? static_cast<i32>(blockIdx.x) : draw(p, size, lane);
    if (drawn < size.num_units) {
      i32 item = size.first_item + drawn;
      i32 head = 0;
      if (drawn < size.num_pieces) {
        head = min(max(__ldg(&p.work[item].kv_head_begin), 0), p.num_kv_heads - 1);
      } else {
        head = (drawn - size.num_pieces) / size.num_whole;
        item -= head * size.num_whole;
      }
      unit.describe(p, item, head, Traits::kRows, Traits::kTokens, lane);
    } else if (lane == 0) {
      unit.item = -1;
    }
    if (lane == 0) {
      unit.slot = static_cast<i32>(position.slot());
      ptx::mbarrier_arrive(ptx::shared_address(&shared.unit_full[position.slot()]));
    }
    __syncwarp();
    return drawn < size.num_units;
  }

 private:
  // Read anew each time, from the cache: registers are scarcer.
  struct QueueSize {
    i32 num_pieces;
    i32 num_whole;
    i32 first_item;  // of the pieces; the whole items follow them
    i32 num_units;
    i32 num_ctas;  // that draw
    __device__ __forceinline__ explicit QueueSize(const AttentionParams &p) {
      asm volatile("" ::: "memory");
      const i32 num_items = max(min(p.header->num_work_items, p.max_work_items), 0);
      num_whole = max(min(p.header->num_queued_items, num_items), 0);
      num_pieces = max(min(p.header->num_queued_pieces, num_items - num_whole), 0);
      first_item = num_items - num_whole - num_pieces;
      num_units = num_pieces + num_whole * p.num_kv_heads;
      num_ctas = p.header->num_prefill_ctas;
    }
  };

  // The first units are dealt out by CTA, and drawing starts behind them. Each unit means one draw by the CTA that had it: num_units draws in
  // all. The last of them leaves the counter as the plan had it.
  __device__ __forceinline__ i32 draw(const AttentionParams &p, const QueueSize &size, u32 lane) const {
    i32 drawn = 0;
    if (lane == 0) {
      int *counter = const_cast<int *>(&p.header->queue_next);
      drawn = atomicAdd(counter, 1);
      if (drawn == size.num_units - 1) *counter = 0;
    }
    return __shfl_sync(0xffffffffu, drawn, 0) + size.num_ctas;
  }
};

// Reads the units that were drawn, in order. By whole warps. A unit stays readable until it is released.
template <typename Traits>
class UnitReader {
  using Shared = PrefillShared90<Traits>;
  using Position = RingPosition<Shared::kUnits>;

 public:
  // Waits for the next unit.
  template <bool kAsleep = false>
  __device__ __forceinline__ const PrefillUnit &next(const Shared &shared) {
    const Position position{count_++};
    const u32 barrier = ptx::shared_address(&shared.unit_full[position.slot()]);
    if constexpr (kAsleep) {
      ptx::mbarrier_wait_asleep(barrier, position.phase());
    } else {
      ptx::mbarrier_wait(barrier, position.phase());
    }
    return shared.units[position.slot()];
  }
  // A unit by its index: the present one, or one before it.
  __device__ __forceinline__ const PrefillUnit &at(const Shared &shared, u32 index) const { return shared.units[Position{index}.slot()]; }
  // The slot is read again, rather than kept in a register.
  __device__ __forceinline__ void release(Shared &shared, const PrefillUnit &unit, u32 lane) const {
    __syncwarp();
    asm volatile("" ::: "memory");
    if (lane == 0) ptx::mbarrier_arrive(ptx::shared_address(&shared.unit_empty[unit.slot]));
  }
  __device__ __forceinline__ void release(Shared &shared, u32 index, u32 lane) const {
    __syncwarp();
    if (lane == 0) ptx::mbarrier_arrive(ptx::shared_address(&shared.unit_empty[Position{index}.slot()]));
  }
  // Of the present unit. Every unit has a filling of q, so this is the place in the ring of q too.
  __device__ __forceinline__ u32 index() const { return count_ - 1; }

 private:
  u32 count_ = 0;
};

}  // namespace fp
