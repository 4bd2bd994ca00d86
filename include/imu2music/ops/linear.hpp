// y = activation(x W^T + b): a dense layer over the last axis.
//
//   linear(context, x, weight, bias)    x: [..., K]; weight: [N, K]; bias: [N] or undefined; result: [..., N]
//   pack_weight(context, weight)        the weight in the order that kernels read it in, once for many calls
//   linear(context, x, packed, bias)    the same bits without the packing, which costs as much as a few rows
//
// A packed weight may be kept in bfloat16 or in 8-bit integers with a scale for each output: a half or a
// quarter of the bytes that a token is multiplied with, the products still in T. Throws ShapeError.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <cpu/linear.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;
using kernels::WeightFormat;

template <class T>
struct PackedWeight {
  std::int64_t N = 0, K = 0;
  WeightFormat format = WeightFormat::plain;
  Tensor<std::byte> numbers;  // as kernels/linear_table.hpp lays them out
  Tensor<T> scale;            // [N]; of int8

  bool defined() const { return numbers.defined(); }
};

namespace detail {

// Shares whole panels of N outputs among threads; `cost`: multiply-adds an output.
template <class Body>
void for_panels(int threads, std::int64_t N, std::int64_t cost, const Body& body) {
  constexpr std::int64_t panel = kernels::linear_panel;
  parallel_for(threads, (N + panel - 1) / panel, grain_for(panel * cost),
               [&](std::int64_t begin, std::int64_t end) { body(begin * panel, std::min(end * panel, N)); });
}

}  // namespace detail

// What a packed weight [N, K] takes, each of its blocks a whole number of cache lines.
template <class T>
std::int64_t packed_weight_bytes(std::int64_t N, std::int64_t K, WeightFormat format) {
  const auto whole = [](std::int64_t bytes) {
    constexpr std::int64_t line = buffer_alignment;
    return (bytes + line - 1) / line * line;
  };
  const std::int64_t numbers =
      kernels::linear_packed_size(N, K) * kernels::bytes_of(format, std::int64_t{sizeof(T)});
  return whole(numbers) + (format == WeightFormat::int8 ? whole(N * std::int64_t{sizeof(T)}) : 0);
}

// weight: [N, K]. The result owns its memory unless `context` has an arena, lasting or not, or a pool.
template <class T>
PackedWeight<T> pack_weight(Context& context, const Tensor<T>& weight,
                            WeightFormat format = WeightFormat::plain) {
  detail::require(weight.rank() == 2, "pack_weight",
                  [&] { return "a weight is (N, K), not " + weight.shape().to_string(); });
  PackedWeight<T> packed;
  packed.N = weight.dim(0), packed.K = weight.dim(1), packed.format = format;
  const Shape size{kernels::linear_packed_size(packed.N, packed.K) *
                   kernels::bytes_of(format, std::int64_t{sizeof(T)})};
  packed.numbers =
      context.has_lasting() ? context.allocate_lasting<std::byte>(size) : context.allocate<std::byte>(size);
  if (format == WeightFormat::int8)
    packed.scale =
        context.has_lasting() ? context.allocate_lasting<T>({packed.N}) : context.allocate<T>({packed.N});
  kernels::LinearPackArguments<T> arguments;
  arguments.W = weight.data();
  arguments.K = packed.K;
  arguments.N = packed.N;
  arguments.format = format;
  arguments.packed = packed.numbers.data();
  arguments.scale = packed.scale.data();
  const auto& table = context.table<kernels::LinearKernels<T>>();
  detail::for_panels(context.threads(), packed.N, packed.K, [&](std::int64_t begin, std::int64_t end) {
    table.pack(context.kernel(), arguments, begin, end);
  });
  return packed;
}

namespace detail {

// A weight packed for one use: itself, shared, where packing would not change it.
template <class T>
PackedWeight<T> pack_once(Context& context, const Tensor<T>& weight) {
  if (!context.table<kernels::LinearKernels<T>>().row_major) return pack_weight(context, weight);
  PackedWeight<T> packed;
  packed.N = weight.dim(0), packed.K = weight.dim(1);
  auto owner = std::make_shared<Tensor<T>>(weight);
  auto* numbers = reinterpret_cast<std::byte*>(owner->data());
  packed.numbers = Tensor<std::byte>::view(numbers, {weight.size() * std::int64_t{sizeof(T)}},
                                           std::move(owner), weight.device());
  return packed;
}

}  // namespace detail

template <class T>
Tensor<T> linear(Context& context, const Tensor<T>& x, const PackedWeight<T>& weight, const Tensor<T>& bias,
                 Activation activation = Activation::none, T slope = T(0)) {
  const std::int64_t K = weight.K, N = weight.N;
  detail::require(x.rank() >= 1 && x.dim(-1) == K, "linear", [&] {
    return "input " + x.shape().to_string() + " does not fit weight " + Shape{N, K}.to_string() +
           ": the last axis must have the weight's second size";
  });
  detail::require(!bias.defined() || bias.shape() == Shape{N}, "linear", [&] {
    return "bias " + bias.shape().to_string() + " does not fit weight " + Shape{N, K}.to_string();
  });
  Shape shape;
  std::int64_t M = 1;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) {
    shape.push_back(x.dim(axis));
    M *= x.dim(axis);
  }
  shape.push_back(N);
  Tensor<T> y = context.allocate<T>(shape);

  kernels::LinearArguments<T> arguments;
  arguments.x = x.data();
  arguments.x_stride = K;
  arguments.W = weight.numbers.data();
  arguments.format = weight.format;
  arguments.scale = weight.scale.data();
  arguments.b = bias.defined() ? bias.data() : nullptr;
  arguments.y = y.data();
  arguments.y_stride = N;
  arguments.K = K;
  arguments.N = N;
  arguments.activation = activation;
  arguments.slope = slope;
  const auto& table = context.table<kernels::LinearKernels<T>>();
  // Few rows: share out the outputs, so that every thread streams its own part of the weights. One row is as
  // slow as its weights are read, which takes a multiply-add as long as two.
  if (M < 64)
    detail::for_panels(context.threads(), N, std::max<std::int64_t>(M, 2) * K,
                       [&](std::int64_t begin, std::int64_t end) {
                         table.forward(context.kernel(), arguments, 0, M, begin, end);
                       });
  else
    parallel_for(context.threads(), M, detail::grain_for(N * K), [&](std::int64_t begin, std::int64_t end) {
      table.forward(context.kernel(), arguments, begin, end, 0, N);
    });
  return y;
}

template <class T>
Tensor<T> linear(Context& context, const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias,
                 Activation activation = Activation::none, T slope = T(0)) {
  detail::require(weight.rank() == 2 && x.rank() >= 1 && x.dim(-1) == weight.dim(1), "linear", [&] {
    return "input " + x.shape().to_string() + " does not fit weight " + weight.shape().to_string() +
           ": the last axis must have the weight's second size";
  });
  return linear(context, x, detail::pack_once(context, weight), bias, activation, slope);
}

}  // namespace imu2music::inline v0
