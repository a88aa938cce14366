// cta.h: a CTA under emulation: its threads as fibers, its warps, its barriers, its shared memory.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "device_api.h"
#include "fiber.h"

namespace emulation {

class Cta;
struct Warp;
struct Launch;

// A fixed pseudo-random sequence: xorshift64* (Vigna, 2016).
class Random {
 public:
  explicit Random(u64 seed) : state_(seed * 0x9E3779B97F4A7C15ull | 1) { next(); }
  u32 next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<u32>(state_ * 0x2545F4914F6CDD1Dull >> 32);
  }
  bool coin() { return next() >> 31; }

 private:
  u64 state_;
};

// A cp.async that was issued. `done`: it has taken effect.
struct ThreadCopy {
  u32 target;
  const void *source;
  u32 num_bytes;
  bool valid;
  bool done;
};

constexpr u32 no_number = ~0u;

struct Thread : ThreadView {
  FiberContext context = nullptr;
  Cta *cta = nullptr;
  Warp *warp = nullptr;
  u32 index = 0;
  u32 lane = 0;
  bool ended = false;
  // What it waits for, while it does.
  const char *waits_for = nullptr;
  u32 waits_on = no_number;  // a barrier's address or number
  Site site;
  // Copies by their number since the thread began; those before first_copy are gone.
  std::deque<ThreadCopy> copies;
  u64 first_copy = 0;
  std::deque<u64> copy_groups;  // the end of each committed group
  u32 num_barriers = 0;  // that it has come to, of those that order memory
  // Products issued since the last commit.
  std::vector<WgmmaCall> products;
  bool is_fenced = false;

  u64 end_copy() const { return first_copy + copies.size(); }
};

// Lanes of a warp that wait for each other.
struct Meeting {
  const char *name;
  Site site;
  u32 mask;
  u32 arrived;
  void *lanes[32];
};

// One committed group of products: for each product, what every lane gave.
struct ProductGroup {
  std::vector<WgmmaCall> calls;  // [product][lane]
  bool done = false;
};

struct Warp {
  u32 index = 0;
  u32 ready = 0;   // lanes that can go on
  u32 live = 0;    // lanes that have not ended
  Thread *threads[32] = {};
  std::vector<Meeting> meetings;
  std::deque<ProductGroup> groups;  // not waited for yet
  u64 first_group = 0;              // number of groups[0]

  u64 end_group() const { return first_group + groups.size(); }
};

// 16 bytes of shared memory that a thread has copied and waited for. Others may read them once it has come to a barrier.
struct CopyMark {
  const Thread *thread = nullptr;
  u32 num_barriers = 0;
};

struct NamedBarrier {
  u32 expected = 0;
  u32 arrived = 0;
  std::vector<Thread *> waiting;
};

// What has been issued to an mbarrier and takes effect when someone needs it: copies of a thread, or a box of TMA.
struct AsyncArrival {
  Thread *thread;  // null: a box
  u64 end_copy;
  u32 target;
  const void *map;
  int coordinates[5];
  u32 num_bytes;
  bool done;  // its bytes are there; only the barrier has not been told
  Site site;
};

struct MBarrier {
  u32 address = 0;
  u32 count = 0;
  u32 pending = 0;
  std::int64_t bytes = 0;  // expected, and not come yet
  u64 phase = 0;           // how many have ended
  std::vector<AsyncArrival> under_way;
  u32 arrivals_under_way = 0;
  std::int64_t bytes_under_way = 0;
  std::vector<Thread *> waiting;
};

class Cta {
 public:
  // Shared memory's first address, so that 0 is none.
  static constexpr u32 shared_base = 1024;

  Cta() = default;
  Cta(const Cta &) = delete;
  Cta &operator=(const Cta &) = delete;

  // Sets all threads at the kernel's beginning. By the OS thread that will run it.
  void begin(Launch &launch, Index3 block);
  // Runs threads until the CTA has ended (true), or wants others to have a turn.
  bool advance();

  // For the running thread: waits until wake(), having said for what.
  void block(Thread &me, const char *what, u32 on, const Site &site);
  void wake(Thread &thread);
  void wake_all(std::vector<Thread *> &threads);
  // Lets other CTAs run, then goes on.
  void give_turn(Thread &me);
  void end_thread(Thread &me);
  // Leaves all threads as they are: the launch has failed.
  [[noreturn]] void abandon();

  // `num_bytes` of shared memory; fails if they are not all in what the launch asked for.
  unsigned char *shared_at(u32 address, u32 num_bytes, const Site &site) const;
  u32 address_of(const void *pointer, const Site &site) const;
  MBarrier &mbarrier_at(u32 address, const Site &site);

  Launch *launch = nullptr;
  Index3 block_index;
  Random random{0};
  Warp warps[32];
  NamedBarrier barriers[16];
  std::deque<MBarrier> mbarriers;
  std::vector<CopyMark> copy_marks;  // of each 16 bytes of shared memory
  u32 num_threads = 0;
  u32 num_live = 0;
  u32 multiprocessor = 0;

 private:
  Thread *next_ready();
  void run_next(FiberContext *from);
  void poison_shared();
  void check_end();
  void report_deadlock() const;

  std::vector<std::unique_ptr<Thread>> threads_;
  FiberStacks stacks_;
  FiberContext main_ = nullptr;
  u32 ready_warps_ = 0;
  u32 running_warp_ = 0;
  bool gives_turn_ = false;
  unsigned char *shared_ = nullptr;
  u32 shared_bytes_ = 0;
};

inline Thread &self() { return *static_cast<Thread *>(current); }

// Of copies.cc: makes the copies of a thread before number `end` take effect, seen by all or by the thread alone; does a box of TMA; fails if others than
// the thread that copied them cannot see the 16 bytes yet.
void finish_copies(Thread &thread, u64 end, bool seen_by_all, const Site &site);
void copy_box(Cta &cta, const AsyncArrival &box);
void check_seen(const Cta &cta, u32 address, const Site &site);

}  // namespace emulation
