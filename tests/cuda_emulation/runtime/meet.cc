// meet.cc: threads that wait for each other: the lanes of a warp, and barriers of the CTA.
#include <cstring>

#include "cta.h"

namespace emulation {

void warp_collective(const char *name, u32 mask, void *lane, WarpWork work, const Site &site) {
  Thread &me = self();
  Warp &warp = *me.warp;
  const u32 bit = 1u << me.lane;
  if (!(mask & bit)) fail(site, "%s with mask %08x, in which the lane itself is not", name, mask);
  size_t index = 0;
  while (index < warp.meetings.size() && !(warp.meetings[index].mask & bit)) ++index;
  if (index == warp.meetings.size()) warp.meetings.push_back({name, site, mask, 0, {}});
  Meeting &meeting = warp.meetings[index];
  const bool same = meeting.mask == mask && meeting.site.line() == site.line() && std::strcmp(meeting.name, name) == 0 &&
                    std::strcmp(meeting.site.file_name(), site.file_name()) == 0;
  if (!same) {
    fail(site, "lanes of a warp differ: this one is at %s with mask %08x, lanes %08x at %s with mask %08x (%s:%u)", name, mask, meeting.arrived, meeting.name, meeting.mask,
         meeting.site.file_name(), meeting.site.line());
  }
  meeting.lanes[me.lane] = lane;
  meeting.arrived |= bit;
  if (meeting.arrived != mask) return me.cta->block(me, name, no_number, site);
  const Meeting complete = meeting;
  warp.meetings.erase(warp.meetings.begin() + static_cast<std::ptrdiff_t>(index));
  work(complete.lanes, mask);
  for (u32 others = mask & ~bit; others != 0; others &= others - 1) me.cta->wake(*warp.threads[__builtin_ctz(others)]);
}

void warp_barrier(u32 mask, const Site &site) {
  ++self().num_barriers;
  warp_collective("__syncwarp", mask, nullptr, [](void *const *, u32) {}, site);
}

void cta_barrier(u32 id, u32 num_threads, const Site &site) {
  Thread &me = self();
  Cta &cta = *me.cta;
  ++me.num_barriers;
  if (id >= 16) fail(site, "there is no barrier %u", id);
  if (num_threads % 32 != 0 || num_threads > cta.num_threads) fail(site, "barrier %u of %u threads, in a CTA of %u", id, num_threads, cta.num_threads);
  NamedBarrier &barrier = cta.barriers[id];
  if (barrier.arrived == 0) barrier.expected = num_threads;
  if (barrier.expected != num_threads) fail(site, "barrier %u is for %u threads here and for %u elsewhere", id, num_threads, barrier.expected);
  const u32 wanted = num_threads == 0 ? cta.num_live : num_threads;
  if (++barrier.arrived == wanted) {
    barrier.arrived = 0;
    cta.wake_all(barrier.waiting);
    return;
  }
  barrier.waiting.push_back(&me);
  cta.block(me, "barrier", id, site);
}

void after_atomic() {
  Thread &me = self();
  me.cta->give_turn(me);
}

u32 shared_address(const void *pointer, const Site &site) { return self().cta->address_of(pointer, site); }

}  // namespace emulation
