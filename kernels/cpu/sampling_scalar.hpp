// Choosing a token from logits, portable: the truth for the other columns.
#pragma once

#include <cmath>
#include <limits>

#include "../sampling_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// -1 where no id is allowed, or every one that is holds NaN.
template <class T>
std::int64_t argmax(const Context&, const T* logits, const std::uint8_t* allowed, std::int64_t V) {
  std::int64_t best = -1;
  T highest = -std::numeric_limits<T>::infinity();
  for (std::int64_t i = 0; i < V; ++i) {
    if (allowed != nullptr && allowed[i] == 0) continue;
    if (logits[i] > highest || (best < 0 && logits[i] == highest)) best = i;
    if (best == i) highest = logits[i];
  }
  return best;
}

// Logits equal to the maximum weigh 1 by definition, so an infinite maximum, or a temperature of 0, gives a
// choice among the largest and no NaN.
template <class T>
T softmax_weights(const Context&, const T* logits, const std::uint8_t* allowed, T* weights, std::int64_t V,
                  T temperature) {
  T maximum = -std::numeric_limits<T>::infinity();
  for (std::int64_t i = 0; i < V; ++i)
    if ((allowed == nullptr || allowed[i] != 0) && logits[i] > maximum) maximum = logits[i];
  T total = 0;
  for (std::int64_t i = 0; i < V; ++i) {
    if (allowed != nullptr && allowed[i] == 0)
      weights[i] = 0;
    else
      weights[i] = logits[i] == maximum ? T(1) : std::exp((logits[i] - maximum) / temperature);
    total += weights[i];
  }
  return total;
}

// -1 where no weight is positive.
template <class T>
std::int64_t pick(const Context&, const T* weights, T total, T u, std::int64_t V) {
  const T threshold = u * total;
  T sum = 0;
  std::int64_t last = -1;
  for (std::int64_t i = 0; i < V; ++i) {
    if (!(weights[i] > 0)) continue;
    sum += weights[i];
    last = i;
    if (sum > threshold) return i;
  }
  return last;
}

}  // namespace scalar

template <class T>
void install(ScalarTag, SamplingKernels<T>& table) {
  table.argmax = &scalar::argmax<T>;
  table.softmax_weights = &scalar::softmax_weights<T>;
  table.pick = &scalar::pick<T>;
}

}  // namespace imu2music::inline v0::kernels
