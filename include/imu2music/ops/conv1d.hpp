// One-dimensional cross-correlation along frames, with dilation, and zeros before the first frame only where
// the caller asks for them:
//
//   y[b][j][o] = activation(bias[o] + sum_{u,c} w[o][c][u] x[b][j stride + u dilation - pad_left][c])
//
// x: [B, L, C]; weight: [O, C, kernel], as PyTorch's Conv1d has it; bias: [O] or undefined; result: [B, out,
// O], out = (L + pad_left - (kernel - 1) dilation - 1) / stride + 1, rounded down. With pad_left = (kernel -
// 1) dilation the convolution is causal: y at j looks at nothing after x at j stride. Throws ShapeError.
//
// Channels come last, so the inputs of one output are `kernel` stretches of C numbers, and the convolution is
// the affine map of ops/linear.hpp, done by its kernels without a copy of them. A frame has the same bits
// whether it is computed alone (streaming) or among others.
#pragma once

#include <algorithm>

#include <cpu/conv1d_layout.hpp>

#include "imu2music/ops/linear.hpp"

namespace imu2music::inline v0 {

struct Conv1dOptions {
  std::int64_t stride = 1, dilation = 1, pad_left = 0;
  Activation activation = Activation::none;
  double slope = 0;  // of leaky_relu
};

namespace detail {

// Whether sums and products of these stay far from overflow.
inline bool conv1d_fits_numbers(std::int64_t kernel, const Conv1dOptions& options) {
  constexpr std::int64_t many = std::int64_t{1} << 40;
  return kernel >= 1 && kernel < many && options.pad_left < many && options.dilation < many / kernel;
}

// [O, C, kernel] → [O, kernel C]: the weights in the order of an output's inputs.
template <class T>
Tensor<T> conv1d_matrix(Context& context, const Tensor<T>& weight) {
  const std::int64_t O = weight.dim(0), C = weight.dim(1), kernel = weight.dim(2);
  Tensor<T> matrix = context.allocate<T>({O, kernel * C});
  context.table<kernels::Conv1dLayoutKernels<T>>().matrix(context.kernel(), weight.data(), matrix.data(), O,
                                                          C, kernel);
  return matrix;
}

// x: [B, L, C] with `before` and `after` frames of zeros around each sequence; x itself where there are none.
template <class T>
Tensor<T> pad_frames(Context& context, const Tensor<T>& x, std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) return x;
  const std::int64_t B = x.dim(0), L = x.dim(1), C = x.dim(2), padded = before + L + after;
  Tensor<T> frames = context.allocate<T>({B, padded, C});
  const auto& table = context.table<kernels::Conv1dLayoutKernels<T>>();
  parallel_for(context.threads(), B, grain_for(padded * C), [&](std::int64_t begin, std::int64_t end) {
    table.pad(context.kernel(), x.data(), frames.data(), L, C, before, padded, begin, end);
  });
  return frames;
}

// The convolution of frames that are padded already, `out` outputs a sequence; weight: [O, kernel C], packed.
template <class T>
Tensor<T> conv1d_padded(Context& context, const Tensor<T>& frames, const PackedWeight<T>& weight,
                        const Tensor<T>& bias, std::int64_t out, const Conv1dOptions& options) {
  const std::int64_t B = frames.dim(0), L = frames.dim(1), C = frames.dim(2), O = weight.N, M = B * out;
  Tensor<T> y = context.allocate<T>({B, out, O});
  kernels::LinearArguments<T> arguments;
  arguments.x_stride = options.stride * C;
  arguments.segment = C;
  arguments.segment_step = options.dilation * C;
  arguments.W = weight.numbers.data();
  arguments.format = weight.format;
  arguments.scale = weight.scale.data();
  arguments.b = bias.defined() ? bias.data() : nullptr;
  arguments.y_stride = O;
  arguments.K = weight.K;
  arguments.N = O;
  arguments.activation = options.activation;
  arguments.slope = static_cast<T>(options.slope);
  const auto& table = context.table<kernels::LinearKernels<T>>();
  if (table.sequences) {
    arguments.x = frames.data();
    arguments.y = y.data();
    arguments.sequence = out;
    arguments.sequence_step = L * C;
    table.forward(context.kernel(), arguments, 0, M, 0, O);
    return y;
  }
  const auto rows = [&](std::int64_t m_begin, std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end) {
    while (m_begin < m_end) {
      const std::int64_t b = m_begin / out, end = std::min(m_end, (b + 1) * out);
      kernels::LinearArguments<T> a = arguments;
      a.x = frames.data() + b * L * C;
      a.y = y.data() + b * out * O;
      table.forward(context.kernel(), a, m_begin - b * out, end - b * out, n_begin, n_end);
      m_begin = end;
    }
  };
  if (M < 8)
    for_panels(context.threads(), O, M * weight.K,
               [&](std::int64_t begin, std::int64_t end) { rows(0, M, begin, end); });
  else
    parallel_for(context.threads(), M, grain_for(O * weight.K),
                 [&](std::int64_t begin, std::int64_t end) { rows(begin, end, 0, O); });
  return y;
}

}  // namespace detail

// weight: [O, C, kernel]; as pack_weight().
template <class T>
PackedWeight<T> pack_conv1d_weight(Context& context, const Tensor<T>& weight,
                                   WeightFormat format = WeightFormat::plain) {
  detail::require(weight.rank() == 3, "pack_conv1d_weight",
                  [&] { return "a weight is (O, C, kernel), not " + weight.shape().to_string(); });
  return pack_weight(context, detail::conv1d_matrix(context, weight), format);
}

// weight: packed.
template <class T>
Tensor<T> conv1d(Context& context, const Tensor<T>& x, const PackedWeight<T>& weight, const Tensor<T>& bias,
                 const Conv1dOptions& options = {}) {
  const std::int64_t C = x.rank() == 3 ? x.dim(2) : 0;
  detail::require(C >= 1 && weight.K >= C && weight.K % C == 0, "conv1d", [&] {
    return "input " + x.shape().to_string() + " does not fit a weight of " + std::to_string(weight.K) +
           " numbers an output: (B, L, C) and (O, C, kernel) are wanted";
  });
  detail::require(!bias.defined() || bias.shape() == Shape{weight.N}, "conv1d", [&] {
    return "bias " + bias.shape().to_string() + " does not fit " + std::to_string(weight.N) + " outputs";
  });
  detail::require(options.stride >= 1 && options.dilation >= 1 && options.pad_left >= 0, "conv1d",
                  [] { return std::string("stride and dilation must be 1 or more and padding 0 or more"); });
  detail::require(detail::conv1d_fits_numbers(weight.K / C, options), "conv1d",
                  [] { return std::string("padding and the kernel's length must stay below 2^40 frames"); });
  const std::int64_t kernel = weight.K / C,
                     room = x.dim(1) + options.pad_left - (kernel - 1) * options.dilation - 1;
  detail::require(room >= 0, "conv1d", [&] {
    return "a kernel of " + std::to_string(kernel) + " with dilation " + std::to_string(options.dilation) +
           " is longer than input " + x.shape().to_string();
  });
  return detail::conv1d_padded(context, detail::pad_frames(context, x, options.pad_left, 0), weight, bias,
                               room / options.stride + 1, options);
}

template <class T>
Tensor<T> conv1d(Context& context, const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias,
                 const Conv1dOptions& options = {}) {
  detail::require(x.rank() == 3 && weight.rank() == 3 && x.dim(2) == weight.dim(1) && weight.dim(2) >= 1,
                  "conv1d", [&] {
                    return "input " + x.shape().to_string() + " does not fit weight " +
                           weight.shape().to_string() + ": (B, L, C) and (O, C, kernel) are wanted";
                  });
  return conv1d(context, x, detail::pack_once(context, detail::conv1d_matrix(context, weight)), bias,
                options);
}

}  // namespace imu2music::inline v0
