// sampling_weight.cuh: the weight of a logit, and how a row's parameters are meant.
#pragma once
#include "parts/sampling_params.h"
#include "parts/types.cuh"

namespace fp {

// e^((logit - maximum) / temperature). NaN and -infinity have weight 0, and so has everything if the maximum is infinite.
class SamplingWeight {
 public:
  __device__ __forceinline__ SamplingWeight(float maximum, float temperature)
      // So that nothing below overflows; other temperatures are those of argmax or of a uniform draw.
      : temperature_(fminf(fmaxf(temperature, 0x1p-100f), 0x1p100f)), maximum_(maximum), inverse_(1.f / temperature_), least_(-120.f * temperature_) {}

  __device__ __forceinline__ float operator()(float logit) const {
    const float apart = fmaxf(logit - maximum_, least_);  // e^-120 is 0
    // The quotient, correctly rounded in nearly all cases, by one step from the product with the inverse.
    const float product = apart * inverse_;
    return expf(fmaf(fmaf(-product, temperature_, apart), inverse_, product));
  }

 private:
  float temperature_;
  float maximum_;
  float inverse_;
  float least_;
};

// Tokens are cut off by count, or by probability.
__device__ __forceinline__ bool cuts_by_count(const SamplingRow &row, i32 vocab_size) { return row.top_k > 0 && row.top_k < vocab_size; }
__device__ __forceinline__ bool cuts_by_mass(const SamplingRow &row) { return row.top_p < 1.f; }

}  // namespace fp
