// run_trace.h: records of when which thread ran which work item, if the run is traced. The layout is fp_trace_header's, in flashpage.h.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

#include "../host/backend.h"

namespace fp::cpu {

class RunTrace {
 public:
  explicit RunTrace(const fp_attention_args &args) : header_(at<fp_trace_header>(args.trace)), capacity_(static_cast<uint32_t>(args.trace_capacity)) {}

  // 0 if there is no trace.
  uint64_t now() const {
    if (header_ == nullptr) return 0;
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
  }

  // The item, which began at `begin`, is done. By any thread.
  void add(int index, const fp_work_item &work, int worker, int cta, uint64_t begin) const {
    if (header_ == nullptr) return;
    const uint64_t end = now();
    std::atomic_ref<uint32_t> num_records(header_->num_records);
    const uint32_t place = num_records.fetch_add(1, std::memory_order_relaxed);
    if (place >= capacity_) {
      // Places are given back only when all are taken, so none is given twice.
      num_records.fetch_sub(1, std::memory_order_relaxed);
      std::atomic_ref<uint32_t>(header_->num_dropped).fetch_add(1, std::memory_order_relaxed);
      return;
    }
    fp_trace_record &record = reinterpret_cast<fp_trace_record *>(header_ + 1)[place];
    record.work_item = index;
    record.kv_heads = static_cast<uint32_t>(work.kv_head_begin) | static_cast<uint32_t>(work.num_kv_heads) << 16;
    record.processor = static_cast<uint32_t>(worker);
    record.cta = static_cast<uint32_t>(cta);
    record.begin_low = static_cast<uint32_t>(begin);
    record.begin_high = static_cast<uint32_t>(begin >> 32);
    record.end_low = static_cast<uint32_t>(end);
    record.end_high = static_cast<uint32_t>(end >> 32);
  }

 private:
  fp_trace_header *header_;
  uint32_t capacity_;
};

}  // namespace fp::cpu
