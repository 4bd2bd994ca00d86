// Dropout, portable: the truth for the other columns.
#pragma once

#include "../dropout_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// The four words of a block.
inline void philox_words(std::uint64_t block, std::uint64_t stream, std::uint64_t seed,
                         std::uint32_t words[4]) {
  std::uint32_t c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(stream), c3 = static_cast<std::uint32_t>(stream >> 32);
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

template <class T>
void dropout_forward(const Context&, const DropoutArguments<T>& a, std::int64_t begin, std::int64_t end) {
  for (std::int64_t first = begin & ~std::int64_t{3}; first < end; first += 4) {
    std::uint32_t words[4];
    philox_words(static_cast<std::uint64_t>(first) / 4, a.stream, a.seed, words);
    for (std::int64_t n = first < begin ? begin : first; n < first + 4 && n < end; ++n)
      a.y[n] = words[n - first] >= a.threshold ? a.x[n] * a.scale : T(0);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, DropoutKernels<T>& table) {
  table.forward = &scalar::dropout_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
