// run_faulty.cc: launches one kernel of faulty_kernels.cu, by name, and writes "error E, N wrong of M words" to standard error, behind what the emulation says. Linked with the emulated driver.
#include <cstdio>
#include <vector>

#include "../driver/state.h"
#include "faulty_params.h"

using namespace fp::cuda;

int main(int, char **arguments) {
  constexpr size_t num_bytes = fp::faulty_words * sizeof(unsigned);
  CUmodule module;
  CUfunction function;
  CUstream stream;
  CUdeviceptr in, out;
  const bool ready = cuInit(0) == 0 && cuStreamCreate(&stream, 0) == 0 && cuModuleLoadDataEx(&module, "", 0, nullptr, nullptr) == 0 &&
                     cuModuleGetFunction(&function, module, arguments[1]) == 0 && cuMemAlloc_v2(&in, num_bytes) == 0 && cuMemAlloc_v2(&out, num_bytes) == 0;
  if (!ready) return 2;
  std::vector<unsigned> words(fp::faulty_words);
  for (unsigned i = 0; i < words.size(); ++i) words[i] = i;
  cuMemcpyHtoDAsync_v2(in, words.data(), num_bytes, stream);
  fp::FaultyParams params{reinterpret_cast<const unsigned *>(in), reinterpret_cast<unsigned *>(out)};
  void *parameters[] = {&params};
  const CUresult result = cuLaunchKernel(function, 1, 1, 1, fp::faulty_threads, 1, 1, fp::faulty_shared_bytes, stream, parameters, nullptr);
  int wrong = 0;
  if (result == 0) {
    cuMemcpyDtoHAsync_v2(words.data(), out, num_bytes, stream);
    for (unsigned i = 0; i < fp::faulty_threads; ++i) wrong += words[i] != (i + 1) % fp::faulty_threads * 4;
  }
  std::fprintf(stderr, "error %d, %d wrong of %d words\n", result, wrong, fp::faulty_threads);
}
