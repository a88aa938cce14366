// fp8_codes.cc: what GPUs without instructions for FP8 compute, and what the emulation has in place of instructions, on the CPU.
// Reads f32 numbers; writes their codes of e4m3, then those of e5m2. Then, as f32, what codes 0 to 255 mean: e4m3 computed for f16, and for bf16;
// e4m3 of the emulated instructions as f16, and as bf16; e5m2 in the same way.
#include <cstdio>
#include <vector>

#include "ptx/fp8.cuh"

namespace fp {

constexpr float kF16Units = 0x1p8f, kBf16Units = 0x1p120f;

template <typename Dtype>
void write_pairs(const u32 (&pairs)[2], Dtype, float units) {
  for (const u32 pair : pairs) {
    const float values[2] = {units * ptx::to_float(static_cast<u16>(pair), Dtype{}), units * ptx::to_float(static_cast<u16>(pair >> 16), Dtype{})};
    std::fwrite(values, sizeof(float), 2, stdout);
  }
}

// Calls function(word) for the codes, four a word.
template <typename Function>
void for_codes(Function function) {
  for (u32 code = 0; code < 256; code += 4) function(code | (code + 1) << 8 | (code + 2) << 16 | (code + 3) << 24);
}

template <typename Dtype>
void write_emulated(bool is_e5m2, Dtype) {
  for_codes([&](u32 word) {
    u32 pairs[2];
    ptx::fp8_to_pairs(pairs, word, is_e5m2, Dtype{});
    write_pairs(pairs, Dtype{}, 1.f);
  });
}

}  // namespace fp

int main() {
  using namespace fp;
  std::vector<float> numbers;
  float number;
  while (std::fread(&number, sizeof number, 1, stdin) == 1) numbers.push_back(number);
  for (const float x : numbers) std::putchar(static_cast<int>(float_to_e4m3_code(x)));
  for (const float x : numbers) std::putchar(static_cast<int>(float_to_e5m2_code(x)));
  for_codes([](u32 word) {
    const u32 pairs[2] = {e4m3_halves_as_f16(bytes_to_high_halves(word, false)), e4m3_halves_as_f16(bytes_to_high_halves(word, true))};
    write_pairs(pairs, F16{}, kF16Units);
  });
  for_codes([](u32 word) {
    const u32 pairs[2] = {e4m3_halves_as_bf16(bytes_to_high_halves(word, false)), e4m3_halves_as_bf16(bytes_to_high_halves(word, true))};
    write_pairs(pairs, Bf16{}, kBf16Units);
  });
  for (const bool is_e5m2 : {false, true}) {
    write_emulated(is_e5m2, F16{});
    write_emulated(is_e5m2, Bf16{});
  }
}
