// inflate.h: unpacks raw DEFLATE streams (RFC 1951): the kernels inside the library.
#pragma once
#include <cstddef>

namespace fp {

// Writes exactly num_bytes. False if the stream is damaged, or of another length.
bool inflate(const unsigned char *packed, size_t num_packed_bytes, unsigned char *data, size_t num_bytes);

}  // namespace fp
