// copies.cc: copies from global to shared memory that are not done when they are issued: cp.async and TMA.
#include <cstring>

#include "cta.h"
#include "launch.h"
#include "memory.h"
#include "tensor_map.h"

namespace emulation {
namespace {

// Whether a copy takes effect at once rather than when it is waited for.
bool is_early(Cta &cta) {
  switch (cta.launch->asynchrony) {
    case Asynchrony::early: return true;
    case Asynchrony::late: return false;
    case Asynchrony::mixed: break;
  }
  return cta.random.coin();
}

void perform(const Cta &cta, ThreadCopy &copy, const Site &site) {
  unsigned char *to = cta.shared_at(copy.target, copy.num_bytes, site);
  if (copy.valid) {
    std::memcpy(to, copy.source, copy.num_bytes);
  } else {
    std::memset(to, 0, copy.num_bytes);
  }
  copy.done = true;
}

CopyMark &mark_of(Cta &cta, u32 address) { return cta.copy_marks[(address - Cta::shared_base) / 16]; }

}  // namespace

void check_seen(const Cta &cta, u32 address, const Site &site) {
  const CopyMark &mark = cta.copy_marks[(address - Cta::shared_base) / 16];
  if (mark.thread && mark.thread->num_barriers == mark.num_barriers) {
    fail(site, "other lanes read at %u what thread %u has copied there, which has come to no barrier since it waited for the copy", address, mark.thread->index);
  }
}

void cp_async(u32 target, const void *source, u32 num_bytes, bool valid, const Site &site) {
  Thread &me = self();
  if (target % num_bytes != 0) fail(site, "cp.async to %u: not a multiple of %u", target, num_bytes);
  if (reinterpret_cast<uintptr_t>(source) % num_bytes != 0) fail(site, "cp.async from %p: not a multiple of %u", source, num_bytes);
  if (valid && !memory_contains(reinterpret_cast<uintptr_t>(source), num_bytes)) {
    fail(site, "cp.async from %p, which is %s", source, describe_address(reinterpret_cast<uintptr_t>(source)).c_str());
  }
  ThreadCopy &copy = me.copies.emplace_back(ThreadCopy{target, source, num_bytes, valid, false});
  me.site = site;
  me.cta->shared_at(target, num_bytes, site);
  if (is_early(*me.cta)) perform(*me.cta, copy, site);
}

void cp_async_commit() {
  Thread &me = self();
  me.copy_groups.push_back(me.end_copy());
}

void finish_copies(Thread &thread, u64 end, bool seen_by_all, const Site &site) {
  while (thread.first_copy < end && !thread.copies.empty()) {
    ThreadCopy &copy = thread.copies.front();
    if (!copy.done) perform(*thread.cta, copy, site);
    mark_of(*thread.cta, copy.target) = seen_by_all ? CopyMark() : CopyMark{&thread, thread.num_barriers};
    thread.copies.pop_front();
    ++thread.first_copy;
  }
}

void cp_async_wait(u32 num_pending, const Site &site) {
  Thread &me = self();
  while (me.copy_groups.size() > num_pending) {
    finish_copies(me, me.copy_groups.front(), false, site);
    me.copy_groups.pop_front();
  }
}

void tma_load_5d(u32 target, const void *map, const int (&coordinates)[5], u32 address, const Site &site) {
  Cta &cta = *self().cta;
  const auto &tensor = *static_cast<const EmulatedTensorMap *>(map);
  if (tensor.mark != EmulatedTensorMap::valid_mark || tensor.rank != 5) fail(site, "the tensor map is none of five dimensions");
  u32 num_bytes = tensor.element_bytes;
  for (const u32 extent : tensor.box) num_bytes *= extent;
  // The swizzle is a function of the address, so tiles must begin where its pattern does.
  const u32 alignment = tensor.swizzle_bytes == 0 ? 128 : tensor.swizzle_bytes * 8;
  if (target % alignment != 0) fail(site, "a box to address %u: not a multiple of %u", target, alignment);
  cta.shared_at(target, num_bytes, site);
  MBarrier &barrier = cta.mbarrier_at(address, site);
  AsyncArrival box{nullptr, 0, target, map, {}, num_bytes, false, site};
  for (int i = 0; i < 5; ++i) box.coordinates[i] = coordinates[i];
  if (is_early(cta)) {
    copy_box(cta, box);
    box.done = true;
  }
  barrier.under_way.push_back(box);
  barrier.bytes_under_way += num_bytes;
  if (barrier.pending == barrier.arrivals_under_way && barrier.bytes == barrier.bytes_under_way) cta.wake_all(barrier.waiting);
}

// Row by row of the innermost dimension, in chunks of 16 bytes, which the swizzle moves.
void copy_box(Cta &cta, const AsyncArrival &box) {
  const auto &tensor = *static_cast<const EmulatedTensorMap *>(box.map);
  const u32 row_bytes = tensor.box[0] * tensor.element_bytes;
  const u32 swizzle_mask = tensor.swizzle_bytes == 0 ? 0 : tensor.swizzle_bytes / 16 - 1;
  const std::int64_t first_column = box.coordinates[0];
  u32 target = box.target;
  u32 at[5] = {};
  const u32 num_rows = tensor.box[1] * tensor.box[2] * tensor.box[3] * tensor.box[4];
  for (u32 row = 0; row < num_rows; ++row) {
    bool inside = true;
    u64 source = tensor.address + static_cast<u64>(first_column) * tensor.element_bytes;
    for (int i = 1; i < 5; ++i) {
      const std::int64_t place = std::int64_t{box.coordinates[i]} + at[i];
      inside = inside && place >= 0 && place < tensor.dims[i];
      source += static_cast<u64>(place) * tensor.strides[i - 1];
    }
    // The columns of the row that exist.
    const std::int64_t from = first_column < 0 ? -first_column : 0;
    const std::int64_t to = std::int64_t{tensor.dims[0]} - first_column;
    const u32 begin = inside && from < tensor.box[0] ? static_cast<u32>(from) * tensor.element_bytes : row_bytes;
    const u32 end = inside && to > from ? (to < tensor.box[0] ? static_cast<u32>(to) * tensor.element_bytes : row_bytes) : begin;
    if (end > begin && !memory_contains(source + begin, end - begin)) {
      fail(box.site, "a box reads %u bytes from %#llx on, which is %s", end - begin, static_cast<unsigned long long>(source + begin), describe_address(source + begin).c_str());
    }
    unsigned char bytes[256] = {};
    std::memcpy(bytes + begin, reinterpret_cast<const void *>(source + begin), end - begin);
    for (u32 byte = 0; byte < row_bytes; byte += 16, target += 16) {
      std::memcpy(cta.shared_at(target ^ (target >> 7 & swizzle_mask) << 4, 16, box.site), bytes + byte, 16);
    }
    for (int i = 1; i < 5 && ++at[i] == tensor.box[i]; ++i) at[i] = 0;
  }
}

}  // namespace emulation
