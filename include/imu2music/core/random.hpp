// Random numbers that are the same on every machine: Philox4x32-10, a counter-based generator.
//
//   block(c, k) = ten rounds of  (c0, c1, c2, c3) ← (hi(M1·c2) ⊕ c1 ⊕ k0, lo(M1·c2), hi(M0·c0) ⊕ c3 ⊕ k1,
//   lo(M0·c0)) with  M0 = D2511F53, M1 = CD9E8D57  and, between rounds,  k0 += 9E3779B9, k1 += BB67AE85  (mod
//   2³²)
//
// `seed` is the 64-bit key, `stream` the upper half of the 128-bit counter and the running block number the
// lower half, so every (seed, stream) pair is a sequence of 2⁶⁶ 32-bit words of its own: give each sensor,
// window or thread its own stream and results do not depend on who draws first. Integers and uniform() are
// bit-exact everywhere; normal() is so as far as the mathematical library's log, sqrt and cosine agree.
//
// Cost: 20 multiplications for four words; no allocation. Nothing throws.
// Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace imu2music::inline v0 {

// The bijection itself: four counter words under two key words.
constexpr std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                                     std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
    }
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
  }
  return counter;
}

class Philox {
 public:
  using result_type = std::uint32_t;  // with min(), max() and operator(): a UniformRandomBitGenerator

  explicit constexpr Philox(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFu; }
  constexpr result_type operator()() { return uint32(); }

  constexpr std::uint32_t uint32() {
    if (used_ == 4) {
      words_ = philox4x32_10({static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32),
                              static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                             {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
      ++block_;
      used_ = 0;
    }
    return words_[static_cast<std::size_t>(used_++)];
  }

  // First word drawn is the lower half.
  constexpr std::uint64_t uint64() {
    const std::uint64_t low = uint32();
    return low | (std::uint64_t{uint32()} << 32);
  }

  // In [0, 1), a multiple of 2⁻⁵³.
  constexpr double uniform() { return static_cast<double>(uint64() >> 11) * 0x1p-53; }

  // In [0, bound), each value equally likely (words from the incomplete last cycle are drawn again); 0 where
  // bound ≤ 1.
  constexpr std::uint32_t below(std::uint32_t bound) {
    if (bound <= 1) return 0;
    const std::uint32_t rejected = (0u - bound) % bound;  // 2³² mod bound
    for (;;) {
      const std::uint32_t word = uint32();
      if (word >= rejected) return word % bound;
    }
  }

  // Mean 0, variance 1 (Box and Muller 1958). Four words a call and no stored second value: the position in
  // the sequence after n calls depends on n alone.
  double normal() {
    constexpr double two_pi = 6.283185307179586476925;
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 − u lies in (0, 1]
    return radius * std::cos(two_pi * uniform());
  }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
};

}  // namespace imu2music::inline v0
