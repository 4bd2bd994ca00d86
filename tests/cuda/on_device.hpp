// For the tests of the CUDA columns: an operation on the device beside the same one on the CPU.
//
// The programs that include this are linked twice: with the host harness (tests/cuda/host), which every
// machine can run, and with imu2music::cuda, where nvcc is; the second says so and passes over its cases
// where there is no GPU, or fails where IMU2MUSIC_NEED_GPU says that there is one.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "imu2music/core/random.hpp"
#include "imu2music/core/transfer.hpp"

namespace test {

using namespace imu2music;

// A context for the device; null where there is none, which is said once.
inline Context* device() {
  static Context* const context = []() -> Context* {
    try {
      return new Context(1, Device::cuda());
    } catch (const DeviceError& error) {
      if (std::getenv("IMU2MUSIC_NEED_GPU") != nullptr) FAIL(std::string(error.what()));
      MESSAGE("not run: " << std::string(error.what()));
      return nullptr;
    }
  }();
  return context;
}

// Numbers between -1 and 1, the same for the same seed.
inline Tensor<float> numbers(const Shape& shape, std::uint64_t seed) {
  Tensor<float> x = Tensor<float>::uninitialised(shape);
  Philox random(seed);
  for (float& value : x.values()) value = static_cast<float>(2 * random.uniform() - 1);
  return x;
}

// |got - wanted| <= tolerance (1 + |wanted|), element by element; NaN only where NaN is wanted.
inline void check_close(Context& context, const Tensor<float>& got, const Tensor<float>& wanted,
                        double tolerance = 1e-5) {
  REQUIRE(got.shape() == wanted.shape());
  REQUIRE(got.device() == context.device());
  const Tensor<float> here = on_host(context, got);
  std::int64_t wrong = 0, first = -1;
  for (std::int64_t i = 0; i < here.size(); ++i) {
    const double a = here[i], b = wanted[i];
    const bool same =
        a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * (1 + std::abs(b));
    if (!same && wrong++ == 0) first = i;
  }
  INFO("of " << here.size() << " elements the first that differs is " << first << ": "
             << (first >= 0 ? here[first] : 0.0f) << " for " << (first >= 0 ? wanted[first] : 0.0f));
  CHECK(wrong == 0);
}

}  // namespace test
