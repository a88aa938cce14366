#include "launch.h"

#include <semaphore>
#include <thread>
#include <vector>

#include "cta.h"
#include "fault.h"

namespace emulation {
namespace {

// CTAs have an OS thread each, for the sake of thread-local storage: __shared__ variables are that. But only the one whose turn it is runs, so that
// a seed gives the same order each time.
class Worker {
 public:
  explicit Worker(u32 number) : index(number) {}
  const u32 index;
  std::binary_semaphore turn{0};
  Cta cta;
  bool has_cta = false;
};

// The grid that is running.
struct Grid {
  Launch *launch = nullptr;
  u64 next_block = 0;
  u64 num_blocks = 0;
  Random random{0};
  std::vector<Worker *> active;
  std::binary_semaphore done{0};

  Index3 take_block() {
    const u64 index = next_block++;
    const Index3 &dim = launch->grid_dim;
    return {static_cast<u32>(index % dim.x), static_cast<u32>(index / dim.x % dim.y), static_cast<u32>(index / dim.x / dim.y)};
  }

  void pass_turn() {
    if (active.empty()) {
      done.release();
    } else {
      active[random.next() % active.size()]->turn.release();
    }
  }
};

Grid &grid() {
  static Grid *const only = new Grid;
  return *only;
}

// For good: OS threads keep their workers until the process ends.
void work(Worker &worker) {
  use_fault_stack();
  for (;;) {
    worker.turn.acquire();
    Grid &g = grid();
    if (!worker.has_cta && g.next_block < g.num_blocks && !g.launch->failed) {
      worker.cta.multiprocessor = worker.index % g.launch->num_sms;
      worker.cta.begin(*g.launch, g.take_block());
      worker.has_cta = true;
    }
    if (worker.has_cta && (g.launch->failed || worker.cta.advance())) worker.has_cta = false;
    if (!worker.has_cta && (g.next_block == g.num_blocks || g.launch->failed)) std::erase(g.active, &worker);
    g.pass_turn();
  }
}

Worker &worker_of(u32 index) {
  static std::vector<Worker *> *const workers = new std::vector<Worker *>;
  while (workers->size() <= index) {
    workers->push_back(new Worker(static_cast<u32>(workers->size())));
    std::thread([worker = workers->back()] { work(*worker); }).detach();
  }
  return *(*workers)[index];
}

}  // namespace

bool run_grid(Launch &launch, u32 resident_ctas) {
  Grid &g = grid();
  g.launch = &launch;
  g.next_block = 0;
  g.num_blocks = u64{launch.grid_dim.x} * launch.grid_dim.y * launch.grid_dim.z;
  g.random = Random(launch.seed);
  for (u32 i = 0; i < resident_ctas && i < g.num_blocks; ++i) g.active.push_back(&worker_of(i));
  const FaultReports reports;
  g.pass_turn();
  g.done.acquire();
  return !launch.failed;
}

}  // namespace emulation
