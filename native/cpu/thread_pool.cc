// thread_pool.cc: fixed workers that split one job at a time. A worker spins for a short while after a job, since the next of a model's step
// follows within microseconds, and sleeps when none comes, or as soon as the caller says that none will: the core may be the one that JavaScript waits for.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include "ops.h"

namespace fp::cpu {
namespace {

constexpr auto spin_time = std::chrono::microseconds(50);

// Without a worker entering for so long, while jobs want them, they are taken to be waiting for this very core.
constexpr auto starving_time = std::chrono::microseconds(100);
constexpr int pauses_between_looks = 32;  // at the clock
constexpr int pauses_before_yield = 2000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct ThreadPool::State {
  std::vector<std::thread> workers;

  // The job. Written by the caller while no worker is inside (`inside` is 0), published by `generation`.
  const void *task = nullptr;
  Call call = nullptr;
  int count = 0;
  std::atomic<int> next{0};
  std::atomic<int> inside{0};
  std::atomic<uint64_t> generation{0};
  std::atomic<bool> open{false};     // workers may still enter the present job
  std::atomic<bool> resting{false};  // no job is expected soon

  std::atomic<bool> entered{false};  // a worker took part since the caller last looked
  std::chrono::steady_clock::time_point last_entry{};  // as far as the caller knows; none since it rested

  std::mutex mutex;
  std::condition_variable wake;
  int sleeping = 0;
  bool ending = false;

  std::mutex failure_mutex;
  std::exception_ptr failure;

  void drain(int worker) {
    try {
      for (int index = next.fetch_add(1); index < count; index = next.fetch_add(1)) call(task, index, worker);
    } catch (...) {
      next.store(count);  // the rest of the job is not begun
      std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  // The system may queue a woken worker behind the caller, which is busy for as long as the worker does not help it, and find the idle core
  // only milliseconds later. Asking for any other core moves the worker at once; after that it may run anywhere again.
  void look_for_starving() {
    const auto now = std::chrono::steady_clock::now();
    if (entered.exchange(false, std::memory_order_relaxed) || last_entry == std::chrono::steady_clock::time_point{}) last_entry = now;
    if (now - last_entry < starving_time) return;
    last_entry = now;
    move_workers_away();
  }

  void move_workers_away() {
#if defined(__linux__)
    const int here = sched_getcpu();
    for (std::thread &worker : workers) {
      cpu_set_t allowed, others;
      if (here < 0 || pthread_getaffinity_np(worker.native_handle(), sizeof allowed, &allowed) != 0) return;
      others = allowed;
      CPU_CLR(here, &others);
      if (CPU_COUNT(&others) == 0) continue;
      pthread_setaffinity_np(worker.native_handle(), sizeof others, &others);
      pthread_setaffinity_np(worker.native_handle(), sizeof allowed, &allowed);
    }
#endif
  }

  void work(int worker) {
    uint64_t seen = 0;
    for (;;) {
      const auto deadline = std::chrono::steady_clock::now() + spin_time;
      for (int pauses = 1; generation.load(std::memory_order_acquire) == seen; pauses++) {
        pause();
        if (pauses % pauses_between_looks != 0) continue;
        if (!resting.load(std::memory_order_relaxed) && std::chrono::steady_clock::now() < deadline) continue;
        std::unique_lock lock(mutex);
        sleeping++;
        wake.wait(lock, [&] { return ending || generation.load(std::memory_order_acquire) != seen; });
        sleeping--;
        if (ending) return;
      }
      seen = generation.load(std::memory_order_acquire);
      // Enter before looking at `open`: the caller closes it, then waits until nobody is inside.
      inside.fetch_add(1);
      if (open.load()) {
        entered.store(true, std::memory_order_relaxed);
        drain(worker);
      }
      inside.fetch_sub(1);
    }
  }
};

ThreadPool::ThreadPool(int num_threads) : state_(new State) {
  for (int worker = 1; worker < num_threads; worker++) {
    state_->workers.emplace_back([state = state_, worker] { state->work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->ending = true;
    state_->generation.fetch_add(1);
  }
  state_->wake.notify_all();
  for (std::thread &worker : state_->workers) worker.join();
  delete state_;
}

int ThreadPool::num_threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::rest() { state_->resting.store(true, std::memory_order_relaxed); }

void ThreadPool::run(int count, const void *task, Call call) {
  State &state = *state_;
  if (count <= 1 || state.workers.empty()) {
    for (int index = 0; index < count; index++) call(task, index, 0);
    return;
  }
  if (state.resting.exchange(false, std::memory_order_relaxed)) state.last_entry = {};
  state.task = task;
  state.call = call;
  state.count = count;
  state.next.store(0);
  state.open.store(true);
  {
    // The lock orders this with a worker that is about to sleep.
    std::lock_guard lock(state.mutex);
    state.generation.fetch_add(1, std::memory_order_release);
    if (state.sleeping > 0) state.wake.notify_all();
  }
  state.drain(0);
  state.open.store(false);
  state.look_for_starving();
  // A worker that the system put aside in the middle of a task may need this core to go on.
  for (int pauses = 1; state.inside.load() != 0; pauses++) {
    pause();
    if (pauses % pauses_before_yield == 0) std::this_thread::yield();
  }
  if (state.failure) {
    std::exception_ptr failure = state.failure;
    state.failure = nullptr;
    std::rethrow_exception(failure);
  }
}

}  // namespace fp::cpu
