// kernel_times.c: when kernels ran on the GPU, by NVIDIA's CUPTI, which is how profilers know. Built and loaded by bench/support/kernel_timer.ts; a
// library of its own because CUPTI hands its records to callbacks on threads of its own, where no JavaScript can run.
#include <cupti.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES ((size_t)1 << 20)
#define MAX_KERNELS 65536

// One launch. Nanoseconds; the name's first letters.
struct kernel_time {
  uint64_t begin;
  uint64_t end;
  char name[48];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kernel_time kernels[MAX_KERNELS];
static size_t num_kernels;
static int is_registered;

static void CUPTIAPI give_buffer(uint8_t **buffer, size_t *bytes, size_t *max_records) {
  *buffer = aligned_alloc(64, BUFFER_BYTES);
  *bytes = *buffer == NULL ? 0 : BUFFER_BYTES;
  *max_records = 0;
}

static void CUPTIAPI take_buffer(CUcontext context, uint32_t stream, uint8_t *buffer, size_t bytes, size_t valid) {
  (void)context, (void)stream, (void)bytes;
  CUpti_Activity *record = NULL;
  pthread_mutex_lock(&lock);
  while (valid > 0 && cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind != CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL || num_kernels == MAX_KERNELS) continue;
    // The first fields, which all versions of the record have in the same places as far as `end`; the name is of this header's version.
    const CUpti_ActivityKernel9 *launch = (const CUpti_ActivityKernel9 *)record;
    struct kernel_time *kernel = &kernels[num_kernels++];
    kernel->begin = launch->start;
    kernel->end = launch->end;
    strncpy(kernel->name, launch->name == NULL ? "" : launch->name, sizeof kernel->name - 1);
    kernel->name[sizeof kernel->name - 1] = 0;
  }
  pthread_mutex_unlock(&lock);
  free(buffer);
}

static int by_begin(const void *a, const void *b) {
  const uint64_t x = ((const struct kernel_time *)a)->begin, y = ((const struct kernel_time *)b)->begin;
  return x < y ? -1 : x > y;
}

// Begins to record. 0, or CUPTI's error.
int kernel_times_begin(void) {
  if (!is_registered) {
    const CUptiResult registered = cuptiActivityRegisterCallbacks(give_buffer, take_buffer);
    if (registered != CUPTI_SUCCESS) return (int)registered;
    is_registered = 1;
  }
  num_kernels = 0;
  return (int)cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
}

// Ends it, when the device has been synchronised, and gives at most `capacity` launches in the order in which they began. How many; or minus CUPTI's error.
int64_t kernel_times_end(struct kernel_time *out, int64_t capacity) {
  CUptiResult result = cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  const CUptiResult disabled = cuptiActivityDisable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
  if (result == CUPTI_SUCCESS) result = disabled;
  if (result != CUPTI_SUCCESS) return -(int64_t)result;
  pthread_mutex_lock(&lock);
  qsort(kernels, num_kernels, sizeof kernels[0], by_begin);
  const int64_t count = (int64_t)num_kernels < capacity ? (int64_t)num_kernels : capacity;
  memcpy(out, kernels, (size_t)count * sizeof kernels[0]);
  pthread_mutex_unlock(&lock);
  return count;
}
