// faulty_params.h: what the kernels of faulty_kernels.cu are given.
#pragma once

namespace fp {

constexpr int faulty_threads = 128;
constexpr int faulty_words = 512;           // of in and of out
constexpr int faulty_shared_bytes = 8192;

struct FaultyParams {
  const unsigned *in;
  unsigned *out;
};

}  // namespace fp
