// The affine map, portable: the truth for the other columns.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "../linear_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// The upper half of the nearest number that has no lower half, ties to even; NaN stays NaN.
inline std::uint16_t nearest_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline float from_bfloat16(std::uint16_t upper) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(upper) << 16);
}

// Where column c of a panel stands among a row's words.
constexpr std::int64_t bfloat16_place(std::int64_t c) { return c / 32 * 32 + 2 * (c % 16) + c % 32 / 16; }

template <class T>
void linear_pack(const Context&, const LinearPackArguments<T>& a, std::int64_t n_begin, std::int64_t n_end) {
  if (a.format == WeightFormat::int8)
    for (std::int64_t n = n_begin; n < n_end; ++n) {
      T largest = 0;
      for (std::int64_t k = 0; k < a.K; ++k) largest = std::max(largest, std::abs(a.W[n * a.K + k]));
      const T scale = largest / T(127);  // a denormal one would be too coarse, and lead beyond 127
      a.scale[n] = scale >= std::numeric_limits<T>::min() ? scale : T(0);
    }
  for (std::int64_t n = n_begin; n < n_end; n += linear_panel) {
    const std::int64_t width = linear_panel_width(a.N, n), columns = std::min(width, a.N - n);
    for (std::int64_t c = 0; c < width; ++c) {
      const T* from = c < columns ? a.W + (n + c) * a.K : nullptr;
      if (a.format == WeightFormat::plain) {
        T* to = static_cast<T*>(a.packed) + n * a.K + c;
        for (std::int64_t k = 0; k < a.K; ++k) to[k * width] = from == nullptr ? T(0) : from[k];
      } else if (a.format == WeightFormat::bf16) {
        std::uint16_t* to = static_cast<std::uint16_t*>(a.packed) + n * a.K + bfloat16_place(c);
        for (std::int64_t k = 0; k < a.K; ++k)
          to[k * width] = from == nullptr ? std::uint16_t{0} : nearest_bfloat16(static_cast<float>(from[k]));
      } else {
        std::int8_t* to = static_cast<std::int8_t*>(a.packed) + n * a.K + c;
        const T scale = c < columns ? a.scale[n + c] : T(0);
        for (std::int64_t k = 0; k < a.K; ++k)
          to[k * width] =
              scale > 0 ? static_cast<std::int8_t>(std::nearbyint(from[k] / scale)) : std::int8_t{0};
      }
    }
  }
}

// sums[c] = sum_k x[m][k] W[k][c], `value` reading W[k][c].
template <class T, class Value>
void linear_sums(const LinearArguments<T>& a, std::int64_t m, std::int64_t width, T* sums,
                 const Value& value) {
  const std::int64_t segment = a.segment > 0 ? a.segment : a.K;
  for (std::int64_t c = 0; c < width; ++c) sums[c] = 0;
  for (std::int64_t k = 0; k < a.K; ++k) {
    const T xk = a.x[m * a.x_stride + k / segment * a.segment_step + k % segment];
    for (std::int64_t c = 0; c < width; ++c) sums[c] += xk * value(k * width, c);
  }
}

template <class T>
void linear_forward(const Context&, const LinearArguments<T>& a, std::int64_t m_begin, std::int64_t m_end,
                    std::int64_t n_begin, std::int64_t n_end) {
  for (std::int64_t n = n_begin; n < n_end; n += linear_panel) {
    const std::int64_t width = linear_panel_width(a.N, n), columns = std::min(width, a.N - n);
    for (std::int64_t m = m_begin; m < m_end; ++m) {
      T sums[linear_panel];
      if (a.format == WeightFormat::plain) {
        const T* W = static_cast<const T*>(a.W) + n * a.K;
        linear_sums(a, m, width, sums, [W](std::int64_t row, std::int64_t c) { return W[row + c]; });
      } else if (a.format == WeightFormat::bf16) {
        const std::uint16_t* W = static_cast<const std::uint16_t*>(a.W) + n * a.K;
        linear_sums(a, m, width, sums, [W](std::int64_t row, std::int64_t c) {
          return static_cast<T>(from_bfloat16(W[row + bfloat16_place(c)]));
        });
      } else {
        const std::int8_t* W = static_cast<const std::int8_t*>(a.W) + n * a.K;
        linear_sums(a, m, width, sums,
                    [W](std::int64_t row, std::int64_t c) { return static_cast<T>(W[row + c]); });
        for (std::int64_t c = 0; c < columns; ++c) sums[c] *= a.scale[n + c];
      }
      for (std::int64_t c = 0; c < columns; ++c) {
        const T sum = a.b == nullptr ? sums[c] : sums[c] + a.b[n + c];
        a.y[m * a.y_stride + n + c] = activate(sum, a.activation, a.slope);
      }
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LinearKernels<T>& table) {
  table.pack = &scalar::linear_pack<T>;
  table.forward = &scalar::linear_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
