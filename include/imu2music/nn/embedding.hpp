// Token embedding, unscaled, plus sinusoidal positions (Vaswani et al. 2017, arXiv:1706.03762, section 3.5):
//
//   pe[t][2 i] = sin(t / 10000^(2 i / D)),  pe[t][2 i + 1] = cos(t / 10000^(2 i / D))
#pragma once

#include <cmath>

#include "imu2music/nn/module.hpp"
#include "imu2music/ops/embedding.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> sinusoidal_positions(std::int64_t length, std::int64_t D) {
  Tensor<T> positions = Tensor<T>::uninitialised({length, D});
  for (std::int64_t t = 0; t < length; ++t)
    for (std::int64_t c = 0; c < D; ++c) {
      const double rate = std::pow(10000.0, -static_cast<double>(c - c % 2) / static_cast<double>(D));
      const double angle = static_cast<double>(t) * rate;
      positions[t * D + c] = static_cast<T>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  return positions;
}

// The same as a parameter's formula; shape: [L, 1, D].
template <class T>
Tensor<T> sinusoidal_table(const Shape& shape) {
  return sinusoidal_positions<T>(shape[0], shape[2]).reshape(shape);
}

template <class T>
struct Embedding {
  Parameter<T> weight;

  Embedding() = default;
  Embedding(std::int64_t vocabulary, std::int64_t D) : weight({vocabulary, D}, Initializer::normal(1)) {}

  // ids: [B, T] → [B, T, D], plus rows first_position.. of `positions`.
  template <class V = Tensor<T>>
  V forward(Context& context, const Tensor<std::int64_t>& ids, const Tensor<T>& positions,
            std::int64_t first_position = 0) const {
    return embedding(context, ids, parameter<V>(context, weight.value), positions, first_position);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
  }
};

}  // namespace imu2music::inline v0
