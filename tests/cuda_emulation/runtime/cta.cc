#include "cta.h"

#include <chrono>
#include <cstring>

#include "launch.h"
#include "report.h"

namespace emulation {

ThreadView *current = nullptr;

namespace {

// Bytes behind a launch's dynamic shared memory that must stay as they were.
constexpr size_t guard_bytes = 4096;
constexpr int poison = 0xff;  // NaN in every format, -1 as an integer

void run_thread() {
  Thread &me = self();
  const Launch &launch = *me.cta->launch;
  launch.kernel->call(launch.kernel->kernel, launch.parameter);
  me.cta->end_thread(me);
}

}  // namespace

u64 nanoseconds() {
  return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

u32 multiprocessor() { return self().cta->multiprocessor; }

void Cta::begin(Launch &of, Index3 block) {
  launch = &of;
  block_index = block;
  num_threads = num_live = of.block_dim.x;
  random = Random(of.seed + 0x1000003 * (block.x + 1) + 0x5bd1e995ull * block.y);
  ready_warps_ = 0;
  gives_turn_ = false;
  mbarriers.clear();
  for (NamedBarrier &barrier : barriers) barrier = NamedBarrier();
  shared_ = of.library->dynamic_shared();
  shared_bytes_ = of.dynamic_shared_bytes;
  poison_shared();
  copy_marks.assign(shared_bytes_ / 16 + 1, CopyMark());
  while (threads_.size() < num_threads) threads_.push_back(std::make_unique<Thread>());
  for (u32 i = 0; i < num_threads; ++i) {
    Warp &warp = warps[i / 32];
    if (i % 32 == 0) warp = Warp();
    Thread &thread = *threads_[i];
    thread = Thread();
    thread.thread = {i, 0, 0};
    thread.block = block;
    thread.block_dim = of.block_dim;
    thread.grid_dim = of.grid_dim;
    thread.cta = this;
    thread.warp = &warp;
    thread.index = i;
    thread.lane = i % 32;
    thread.context = start_fiber(stacks_.end_of(i), run_thread);
    warp.index = i / 32;
    warp.threads[i % 32] = &thread;
    warp.live |= 1u << i % 32;
    warp.ready |= 1u << i % 32;
    ready_warps_ |= 1u << i / 32;
  }
}

bool Cta::advance() {
  if (ready_warps_ != 0) run_next(&main_);
  current = nullptr;
  if (launch->failed) return true;
  if (gives_turn_) {
    gives_turn_ = false;
    return false;
  }
  if (num_live > 0) {
    report_deadlock();
    launch->failed = true;
  } else {
    check_end();
  }
  return true;
}

// Mostly another lane of the same warp, in no order that a kernel could rely on; now and then another warp.
Thread *Cta::next_ready() {
  if (ready_warps_ == 0) return nullptr;
  const u32 dice = random.next();
  if (!(ready_warps_ >> running_warp_ & 1) || dice % 16 == 0) {
    u32 skip = (dice >> 8) % static_cast<u32>(__builtin_popcount(ready_warps_));
    u32 left = ready_warps_;
    while (skip-- > 0) left &= left - 1;
    running_warp_ = static_cast<u32>(__builtin_ctz(left));
  }
  Warp &warp = warps[running_warp_];
  const int lane = dice >> 31 ? __builtin_ctz(warp.ready) : 31 - __builtin_clz(warp.ready);
  warp.ready &= ~(1u << lane);
  if (warp.ready == 0) ready_warps_ &= ~(1u << running_warp_);
  return warp.threads[lane];
}

// Goes on with some thread that can, or with advance() if none can.
void Cta::run_next(FiberContext *from) {
  Thread *next = gives_turn_ ? nullptr : next_ready();
  if (next && from == &next->context) {
    current = next;
    return;
  }
  current = next;
  emulation_switch_fiber(from, next ? next->context : main_);
}

void Cta::block(Thread &me, const char *what, u32 on, const Site &site) {
  me.waits_for = what;
  me.waits_on = on;
  me.site = site;
  run_next(&me.context);
  me.waits_for = nullptr;
}

void Cta::wake(Thread &thread) {
  thread.warp->ready |= 1u << thread.lane;
  ready_warps_ |= 1u << thread.warp->index;
}

void Cta::wake_all(std::vector<Thread *> &threads) {
  for (Thread *thread : threads) wake(*thread);
  threads.clear();
}

void Cta::give_turn(Thread &me) {
  wake(me);
  gives_turn_ = true;
  run_next(&me.context);
}

void Cta::end_thread(Thread &me) {
  me.ended = true;
  me.warp->live &= ~(1u << me.lane);
  --num_live;
  if (!me.products.empty() || (me.warp->live == 0 && !me.warp->groups.empty())) fail(me.site, "the thread ends, and products that it issued are not waited for");
  // Barrier 0 counts the threads that are left.
  NamedBarrier &all = barriers[0];
  if (all.arrived > 0 && all.arrived == num_live) {
    all.arrived = 0;
    wake_all(all.waiting);
  }
  run_next(&me.context);
  __builtin_unreachable();
}

void Cta::abandon() {
  launch->failed = true;
  FiberContext nowhere;
  current = nullptr;
  emulation_switch_fiber(&nowhere, main_);
  __builtin_unreachable();
}

void Cta::poison_shared() {
  const size_t most = launch->library->max_dynamic_shared;
  std::memset(shared_, poison, most < shared_bytes_ + guard_bytes ? most : shared_bytes_ + guard_bytes);
}

void Cta::check_end() {
  const size_t most = launch->library->max_dynamic_shared;
  for (size_t i = shared_bytes_; i < shared_bytes_ + guard_bytes && i < most; ++i) {
    if (shared_[i] == poison) continue;
    report(*launch, block_index, "byte %zu of dynamic shared memory was written, and the launch has %u", i, shared_bytes_);
    launch->failed = true;
    return;
  }
  for (u32 i = 0; i < num_threads; ++i) {
    for (const ThreadCopy &copy : threads_[i]->copies) {
      if (copy.done) continue;
      report(*launch, block_index, "the CTA has ended, and nobody has waited for a copy that thread %u issued", i);
      launch->failed = true;
      return;
    }
  }
  for (const MBarrier &barrier : mbarriers) {
    if (barrier.under_way.empty()) continue;
    report(*launch, block_index, "the CTA has ended, and nobody has waited for copies under way to the mbarrier at %u", barrier.address);
    launch->failed = true;
    return;
  }
}

unsigned char *Cta::shared_at(u32 address, u32 num_bytes, const Site &site) const {
  if (address < shared_base || address - shared_base + u64{num_bytes} > shared_bytes_) {
    fail(site, "%u bytes at address %u are not in shared memory, which has %u bytes from %u on", num_bytes, address, shared_bytes_, shared_base);
  }
  return shared_ + (address - shared_base);
}

u32 Cta::address_of(const void *pointer, const Site &site) const {
  const auto *at = static_cast<const unsigned char *>(pointer);
  if (at < shared_ || at >= shared_ + shared_bytes_) fail(site, "%p is no address of dynamic shared memory", pointer);
  return shared_base + static_cast<u32>(at - shared_);
}

// Prints who waits for what: lanes that do the same as one line.
void Cta::report_deadlock() const {
  report(*launch, block_index, "all threads that are left wait for each other (%u of %u)", num_live, num_threads);
  for (u32 w = 0; w * 32 < num_threads; ++w) {
    u32 left = warps[w].live;
    while (left != 0) {
      const Thread &first = *warps[w].threads[__builtin_ctz(left)];
      u32 alike = 0;
      for (u32 lane = 0; lane < 32; ++lane) {
        const Thread *other = left >> lane & 1 ? warps[w].threads[lane] : nullptr;
        if (other && other->waits_for == first.waits_for && other->waits_on == first.waits_on && other->site.line() == first.site.line()) alike |= 1u << lane;
      }
      left &= ~alike;
      std::fprintf(stderr, "  warp %u, lanes %08x: %s", w, alike, first.waits_for);
      if (first.waits_on != no_number) std::fprintf(stderr, " %u", first.waits_on);
      std::fprintf(stderr, " (%s:%u)\n", first.site.file_name(), first.site.line());
    }
  }
  for (const MBarrier &barrier : mbarriers) {
    if (barrier.waiting.empty()) continue;
    std::fprintf(stderr, "  mbarrier at %u: phase %llu needs %u of %u arrivals and %lld bytes; %zu copies are under way to it\n", barrier.address,
                 static_cast<unsigned long long>(barrier.phase), barrier.pending, barrier.count, static_cast<long long>(barrier.bytes), barrier.under_way.size());
  }
  for (u32 id = 0; id < 16; ++id) {
    if (barriers[id].arrived > 0) std::fprintf(stderr, "  barrier %u: %u threads of %u have come\n", id, barriers[id].arrived, id == 0 ? num_live : barriers[id].expected);
  }
}

}  // namespace emulation
