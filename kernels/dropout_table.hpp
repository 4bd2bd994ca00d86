// Dropout with random bits that are a function of the element's number, so they need not be kept:
//
//   y[n] = scale x[n] where word(n) >= threshold, otherwise 0
//   word(n) = word n mod 4 of philox4x32_10(counter = (b low, b high, stream low, stream high),
//                                           key = (seed low, seed high)),   b = n / 4
//
// all words of 32 bits, low the lower half of a 64-bit number: word(n) is the n-th word that the generator of
// this seed and stream draws (imu2music/core/random.hpp, where the rounds are written out). The same call on
// dy gives the gradient. For rate p: threshold = floor(2^32 p), scale = 1 / (1 - p).
//
// x, y: as many elements each, y may be x. Every column gives the same bits.
//
// Source: N. Srivastava et al. 2014, Dropout, JMLR 15; J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel
// random numbers: as easy as 1, 2, 3", SC'11.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct DropoutArguments {
  const T* x = nullptr;
  T* y = nullptr;
  std::uint64_t seed = 0, stream = 0;
  std::uint32_t threshold = 0;
  T scale = 1;
};

template <class T>
struct DropoutKernels {
  // Elements begin..end, counted from x.
  void (*forward)(const Context& context, const DropoutArguments<T>& arguments, std::int64_t begin,
                  std::int64_t end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
