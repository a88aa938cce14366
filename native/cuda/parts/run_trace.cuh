// run_trace.cuh: records of when which work item ran, if the launch is traced. By one thread of a CTA, which keeps the time between an item's
// begin and its end in shared memory: registers are scarcer. Without a trace each call is one branch that all threads take alike.
#pragma once
#include "parts/attention_params.h"
#include "parts/types.cuh"
#include "ptx/clock.cuh"

namespace fp {

// When the present item began. Written and read by the thread that traces; another may write it before a barrier.
struct TraceBegin {
  u32 low;
  u32 high;

  __device__ __forceinline__ void set(u64 now) {
    low = static_cast<u32>(now);
    high = static_cast<u32>(now >> 32);
  }
};

__device__ __forceinline__ void begin_trace(const AttentionParams &p, TraceBegin &begin, bool is_tracer) {
  if (p.trace == nullptr || !is_tracer) return;
  begin.set(ptx::nanoseconds());
}

// The item, or those heads of it, is done. The next one begins now, unless begin_trace says another time.
__device__ __forceinline__ void end_trace(const AttentionParams &p, TraceBegin &begin, bool is_tracer, i32 item, i32 head_begin, i32 num_heads) {
  if (p.trace == nullptr || !is_tracer) return;
  const u64 now = ptx::nanoseconds();
  const u32 place = atomicAdd(&p.trace->num_records, 1u);
  if (place < static_cast<u32>(p.trace_capacity)) {
    uint4 *record = reinterpret_cast<uint4 *>(p.trace + 1) + 2 * static_cast<u64>(place);
    record[0] = make_uint4(static_cast<u32>(item), static_cast<u32>(head_begin) | static_cast<u32>(num_heads) << 16, ptx::multiprocessor(), blockIdx.x);
    record[1] = make_uint4(begin.low, begin.high, static_cast<u32>(now), static_cast<u32>(now >> 32));
  } else {
    // Places are given back only when all are taken, so none is given twice.
    atomicAdd(&p.trace->num_records, ~0u);
    atomicAdd(&p.trace->num_dropped, 1u);
  }
  begin.set(now);
}

}  // namespace fp
