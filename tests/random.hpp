// Reproducible tensors for tests.
#pragma once

#include <cstdint>

#include "imu2music/core/random.hpp"
#include "imu2music/core/tensor.hpp"

namespace test {

// Uniform in -1..1.
template <class T>
imu2music::Tensor<T> random_tensor(const imu2music::Shape& shape, std::uint64_t seed) {
  imu2music::Tensor<T> tensor = imu2music::Tensor<T>::uninitialised(shape);
  imu2music::Philox random(seed);
  for (T& value : tensor.values()) value = static_cast<T>(2 * random.uniform() - 1);
  return tensor;
}

}  // namespace test
