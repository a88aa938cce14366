#include "inflate.h"

#include <cstdint>
#include <cstring>

namespace fp {
namespace {

constexpr int max_code_bits = 15;

// Bits, the lowest of each byte first. Behind the end they are zeros, and overrun() says so.
class BitReader {
 public:
  BitReader(const unsigned char *bytes, size_t count) : next_(bytes), end_(bytes + count) {}

  uint32_t take(int count) {
    while (num_bits_ < count) {
      if (next_ < end_) {
        bits_ |= static_cast<uint64_t>(*next_++) << num_bits_;
      } else if (++missing_bytes_ > 8) {
        return 0;
      }
      num_bits_ += 8;
    }
    const uint32_t value = static_cast<uint32_t>(bits_ & ((uint64_t{1} << count) - 1));
    bits_ >>= count;
    num_bits_ -= count;
    return value;
  }
  void skip_to_byte() { take(num_bits_ % 8); }
  bool overrun() const { return missing_bytes_ * 8 > num_bits_; }

 private:
  const unsigned char *next_;
  const unsigned char *end_;
  uint64_t bits_ = 0;
  int num_bits_ = 0;
  int missing_bytes_ = 0;
};

// A canonical Huffman code (RFC 1951, section 3.2.2): codes of one length are neighbours, in the order of their symbols.
struct Code {
  uint16_t num_codes[max_code_bits + 1];  // of each length
  uint16_t symbols[288];                  // by code

  // False if lengths leave no room for all codes.
  bool make(const uint8_t *lengths, int count) {
    memset(num_codes, 0, sizeof num_codes);
    for (int i = 0; i < count; ++i) ++num_codes[lengths[i]];
    num_codes[0] = 0;
    uint16_t first[max_code_bits + 2] = {};
    int room = 1;
    for (int bits = 1; bits <= max_code_bits; ++bits) {
      room = 2 * room - num_codes[bits];
      if (room < 0) return false;
      first[bits + 1] = static_cast<uint16_t>(first[bits] + num_codes[bits]);
    }
    for (int i = 0; i < count; ++i) {
      if (lengths[i] != 0) symbols[first[lengths[i]]++] = static_cast<uint16_t>(i);
    }
    return true;
  }

  // -1 if the bits are no code.
  int read(BitReader &bits) const {
    int code = 0, first = 0, index = 0;
    for (int length = 1; length <= max_code_bits; ++length) {
      code |= static_cast<int>(bits.take(1));
      if (code - first < num_codes[length]) return symbols[index + code - first];
      index += num_codes[length];
      first = (first + num_codes[length]) << 1;
      code <<= 1;
    }
    return -1;
  }
};

// Section 3.2.5: the bases and extra bits of lengths and distances follow a rule.
int length_of(int symbol, BitReader &bits) {
  if (symbol == 285) return 258;
  const int i = symbol - 257;
  if (i < 8) return 3 + i;
  const int extra = i / 4 - 1;
  return 3 + ((4 + i % 4) << extra) + static_cast<int>(bits.take(extra));
}
int distance_of(int symbol, BitReader &bits) {
  if (symbol < 4) return 1 + symbol;
  const int extra = symbol / 2 - 1;
  return 1 + ((2 + symbol % 2) << extra) + static_cast<int>(bits.take(extra));
}

bool read_codes(BitReader &bits, Code &literals, Code &distances) {
  static constexpr uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  const int num_literals = 257 + static_cast<int>(bits.take(5));
  const int num_distances = 1 + static_cast<int>(bits.take(5));
  const int num_lengths = 4 + static_cast<int>(bits.take(4));
  if (num_literals > 286 || num_distances > 30) return false;
  uint8_t lengths[286 + 30] = {};
  for (int i = 0; i < num_lengths; ++i) lengths[order[i]] = static_cast<uint8_t>(bits.take(3));
  Code code;
  if (!code.make(lengths, 19)) return false;
  memset(lengths, 0, sizeof lengths);
  for (int i = 0; i < num_literals + num_distances;) {
    const int symbol = code.read(bits);
    if (symbol < 0 || bits.overrun()) return false;
    if (symbol < 16) {
      lengths[i++] = static_cast<uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) return false;
    const uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
    int count = symbol == 16 ? 3 + static_cast<int>(bits.take(2)) : symbol == 17 ? 3 + static_cast<int>(bits.take(3)) : 11 + static_cast<int>(bits.take(7));
    if (i + count > num_literals + num_distances) return false;
    while (count-- > 0) lengths[i++] = value;
  }
  return literals.make(lengths, num_literals) && distances.make(lengths + num_literals, num_distances);
}

void fixed_codes(Code &literals, Code &distances) {
  uint8_t lengths[288];
  for (int i = 0; i < 288; ++i) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  literals.make(lengths, 288);
  memset(lengths, 5, 30);
  distances.make(lengths, 30);
}

}  // namespace

bool inflate(const unsigned char *packed, size_t num_packed_bytes, unsigned char *data, size_t num_bytes) {
  BitReader bits(packed, num_packed_bytes);
  size_t at = 0;
  for (bool is_last = false; !is_last;) {
    is_last = bits.take(1) == 1;
    const uint32_t kind = bits.take(2);
    if (kind == 0) {
      bits.skip_to_byte();
      const uint32_t count = bits.take(16);
      if (bits.take(16) != (count ^ 0xffff) || bits.overrun() || count > num_bytes - at) return false;
      for (uint32_t i = 0; i < count; ++i) data[at++] = static_cast<unsigned char>(bits.take(8));
    } else {
      Code literals, distances;
      if (kind == 1) {
        fixed_codes(literals, distances);
      } else if (kind == 3 || !read_codes(bits, literals, distances)) {
        return false;
      }
      for (;;) {
        const int symbol = literals.read(bits);
        if (symbol < 0 || symbol > 285 || bits.overrun()) return false;
        if (symbol == 256) break;
        if (symbol < 256) {
          if (at == num_bytes) return false;
          data[at++] = static_cast<unsigned char>(symbol);
          continue;
        }
        const size_t length = static_cast<size_t>(length_of(symbol, bits));
        const int code = distances.read(bits);
        if (code < 0 || code > 29) return false;
        const size_t distance = static_cast<size_t>(distance_of(code, bits));
        if (bits.overrun() || distance > at || length > num_bytes - at) return false;
        // Byte by byte: a copy may overlap what it writes.
        for (size_t i = 0; i < length; ++i, ++at) data[at] = data[at - distance];
      }
    }
    if (bits.overrun()) return false;
  }
  return at == num_bytes;
}

}  // namespace fp
