// mbarrier.cc: barriers in shared memory that count arrivals and bytes. The eight bytes of a barrier hold its number; its state lies in the CTA.
#include <cstring>

#include "cta.h"

namespace emulation {
namespace {

constexpr u32 mark = 0x6d626172;  // "mbar"

struct Handle {
  u32 mark;
  u32 index;
};

// The phase would end if all that is under way were done.
bool can_end(const MBarrier &barrier) {
  return barrier.pending == barrier.arrivals_under_way && barrier.bytes == barrier.bytes_under_way;
}

void end_phase(Cta &cta, MBarrier &barrier) {
  ++barrier.phase;
  barrier.pending = barrier.count;
  cta.wake_all(barrier.waiting);
}

// Does all that is under way, which ends the phase.
void finish(Cta &cta, MBarrier &barrier, const Site &site) {
  for (const AsyncArrival &arrival : barrier.under_way) {
    if (arrival.thread) {
      finish_copies(*arrival.thread, arrival.end_copy, true, site);
    } else if (!arrival.done) {
      copy_box(cta, arrival);
    }
  }
  barrier.pending -= barrier.arrivals_under_way;
  barrier.bytes -= barrier.bytes_under_way;
  barrier.under_way.clear();
  barrier.arrivals_under_way = 0;
  barrier.bytes_under_way = 0;
  end_phase(cta, barrier);
}

// An arrival belongs to the next phase if this one only waits for what is under way.
void settle(Cta &cta, MBarrier &barrier, const Site &site) {
  if (!barrier.under_way.empty() && can_end(barrier)) finish(cta, barrier, site);
}

}  // namespace

MBarrier &Cta::mbarrier_at(u32 address, const Site &site) {
  if (address % 8 != 0) fail(site, "an mbarrier at %u: not a multiple of 8", address);
  Handle handle;
  std::memcpy(&handle, shared_at(address, 8, site), sizeof handle);
  if (handle.mark != mark || handle.index >= mbarriers.size() || mbarriers[handle.index].address != address) {
    fail(site, "there is no initialised mbarrier at %u", address);
  }
  return mbarriers[handle.index];
}

void mbarrier_init(u32 address, u32 num_arrivals, const Site &site) {
  Cta &cta = *self().cta;
  if (address % 8 != 0) fail(site, "an mbarrier at %u: not a multiple of 8", address);
  if (num_arrivals == 0) fail(site, "an mbarrier of no arrivals");
  const Handle handle{mark, static_cast<u32>(cta.mbarriers.size())};
  std::memcpy(cta.shared_at(address, 8, site), &handle, sizeof handle);
  MBarrier &barrier = cta.mbarriers.emplace_back();
  barrier.address = address;
  barrier.count = barrier.pending = num_arrivals;
}

void mbarrier_arrive(u32 address, u32 expected_bytes, const Site &site) {
  ++self().num_barriers;
  Cta &cta = *self().cta;
  MBarrier &barrier = cta.mbarrier_at(address, site);
  settle(cta, barrier, site);
  if (barrier.pending == 0) fail(site, "more than %u arrivals at the mbarrier at %u in one phase", barrier.count, address);
  barrier.bytes += expected_bytes;
  --barrier.pending;
  if (!can_end(barrier)) return;
  if (barrier.under_way.empty()) {
    end_phase(cta, barrier);
  } else {
    cta.wake_all(barrier.waiting);  // the one that runs first finishes what is under way
  }
}

void mbarrier_wait(u32 address, u32 parity, const Site &site) {
  Thread &me = self();
  Cta &cta = *me.cta;
  if (parity > 1) fail(site, "parity %u", parity);
  MBarrier &barrier = cta.mbarrier_at(address, site);
  while ((barrier.phase & 1) == parity) {
    if (can_end(barrier)) {
      finish(cta, barrier, site);
    } else {
      barrier.waiting.push_back(&me);
      cta.block(me, "the mbarrier at", address, site);
    }
  }
}

void cp_async_arrive(u32 address, const Site &site) {
  Thread &me = self();
  Cta &cta = *me.cta;
  MBarrier &barrier = cta.mbarrier_at(address, site);
  settle(cta, barrier, site);
  if (barrier.pending == barrier.arrivals_under_way) fail(site, "more than %u arrivals at the mbarrier at %u in one phase", barrier.count, address);
  barrier.under_way.push_back({&me, me.end_copy(), 0, nullptr, {}, 0, false, site});
  ++barrier.arrivals_under_way;
  if (can_end(barrier)) cta.wake_all(barrier.waiting);
}

}  // namespace emulation
