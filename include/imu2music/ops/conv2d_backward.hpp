// The gradients of conv2d() without scale, shift and activation (ops/activation_backward.hpp):
//
//   dx[b][c][y][x]   = sum over o, u, v, i, j with i s_h + u - pad_h = y and j s_w + v - pad_w = x of
//                      w[o][c][u][v] dy[b][o][i][j]
//   dw[o][c][u][v]  += sum_{b,i,j} dy[b][o][i][j] x[b][c][i s_h + u - pad_h][j s_w + v - pad_w]
//   db[o]           += sum_{b,i,j} dy[b][o][i][j]
//
// A convolution is the affine map of its columns, the inputs that each output looks at, so both gradients are
// those of ops/linear_backward.hpp, whose kernels do the work. Columns are made for some entries of the batch
// at a time, as many as fit 16 MiB, one at least. A device has kernels of its own that make none.
//
// x, dx: [B, C, H, W]; w, dw: [O, C, kernel_h, kernel_w]; dy: [B, O, out_h, out_w]; db: [O]. Of the options,
// strides and padding count. Throws ShapeError. No bit depends on the number of threads.
#pragma once

#include <algorithm>
#include <cpu/conv2d_backward.hpp>

#include "imu2music/ops/conv2d.hpp"
#include "imu2music/ops/linear_backward.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

namespace detail {

// What the gradients of one convolution share; `part` entries of the batch are taken at a time.
struct Conv2dColumns {
  std::int64_t B = 0, C = 0, H = 0, W = 0, O = 0, kernel_h = 0, kernel_w = 0, out_h = 0, out_w = 0, part = 1;
  Conv2dOptions options;

  std::int64_t row() const { return kernel_h * kernel_w * C; }
  std::int64_t outputs() const { return out_h * out_w; }

  // Calls body(column, frame) for the C numbers of each weight of output `n` of an image; frame is -1 for
  // padding.
  template <class Body>
  void for_each(std::int64_t n, const Body& body) const {
    for (std::int64_t u = 0; u < kernel_h; ++u)
      for (std::int64_t v = 0; v < kernel_w; ++v) {
        const std::int64_t y = n / out_w * options.stride_h + u - options.pad_h;
        const std::int64_t x = n % out_w * options.stride_w + v - options.pad_w;
        const bool inside = y >= 0 && y < H && x >= 0 && x < W;
        body((u * kernel_w + v) * C, inside ? (y * W + x) * C : std::int64_t{-1});
      }
  }
};

inline Conv2dColumns conv2d_columns_of(const char* operation, const Shape& dy, const Shape& x, const Shape& w,
                                       const Conv2dOptions& options) {
  const auto fits = [&] {
    if (dy.rank() != 4 || x.rank() != 4 || w.rank() != 4 || dy[0] != x[0] || dy[1] != w[0] || x[1] != w[1] ||
        options.stride_h < 1 || options.stride_w < 1 || options.pad_h < 0 || options.pad_w < 0)
      return false;
    const std::int64_t room_h = x[2] + 2 * options.pad_h - w[2], room_w = x[3] + 2 * options.pad_w - w[3];
    return room_h >= 0 && room_w >= 0 && dy[2] == room_h / options.stride_h + 1 &&
           dy[3] == room_w / options.stride_w + 1;
  };
  require(fits(), operation, [&] {
    return "gradient " + dy.to_string() + " is not that of input " + x.to_string() + " and weight " +
           w.to_string();
  });
  Conv2dColumns columns{x[0], x[1], x[2], x[3], w[0], w[2], w[3], dy[2], dy[3], 1, options};
  constexpr std::int64_t most = std::int64_t{1} << 22;  // numbers
  columns.part = std::clamp<std::int64_t>(most / std::max<std::int64_t>(columns.outputs() * columns.row(), 1),
                                          1, std::max<std::int64_t>(columns.B, 1));
  return columns;
}

template <class T>
kernels::Conv2dBackwardArguments<T> conv2d_backward_arguments(const Conv2dColumns& s) {
  kernels::Conv2dBackwardArguments<T> arguments;
  arguments.B = s.B, arguments.C = s.C, arguments.H = s.H, arguments.W = s.W;
  arguments.O = s.O, arguments.kernel_h = s.kernel_h, arguments.kernel_w = s.kernel_w;
  arguments.stride_h = s.options.stride_h, arguments.stride_w = s.options.stride_w;
  arguments.pad_h = s.options.pad_h, arguments.pad_w = s.options.pad_w;
  arguments.out_h = s.out_h, arguments.out_w = s.out_w;
  return arguments;
}

}  // namespace detail

// dx.
template <class T>
Tensor<T> conv2d_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& w, std::int64_t H,
                                std::int64_t W, const Conv2dOptions& options) {
  const Shape x{dy.rank() == 4 ? dy.dim(0) : 0, w.rank() == 4 ? w.dim(1) : 0, H, W};
  const detail::Conv2dColumns s =
      detail::conv2d_columns_of("conv2d_backward_input", dy.shape(), x, w.shape(), options);
  if (const auto& table = context.table<kernels::Conv2dBackwardKernels<T>>(); table.input != nullptr) {
    Tensor<T> dx = context.allocate<T>(x);
    auto arguments = detail::conv2d_backward_arguments<T>(s);
    arguments.dy = dy.data(), arguments.w = w.data(), arguments.dx = dx.data();
    table.input(context.kernel(), arguments);
    return dx;
  }
  const Tensor<T> weight = permute(context, w, {0, 2, 3, 1}).reshape({s.O, s.row()});
  const Tensor<T> gradient = permute(context, dy, {0, 2, 3, 1});
  Tensor<T> images = context.allocate<T>({s.B, H, W, s.C});
  for (std::int64_t first = 0; first < s.B; first += s.part) {
    const std::int64_t count = std::min(s.part, s.B - first);
    const Tensor<T> columns = linear_backward_input(
        context, gradient.slice(first, count).reshape({count * s.outputs(), s.O}), weight);
    parallel_for(context.threads(), count, detail::grain_for(s.outputs() * s.row()),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t b = begin; b < end; ++b) {
                     T* image = images.data() + (first + b) * H * W * s.C;
                     std::fill_n(image, H * W * s.C, T(0));
                     for (std::int64_t n = 0; n < s.outputs(); ++n) {
                       const T* row = columns.data() + (b * s.outputs() + n) * s.row();
                       s.for_each(n, [&](std::int64_t column, std::int64_t frame) {
                         if (frame < 0) return;
                         for (std::int64_t c = 0; c < s.C; ++c) image[frame + c] += row[column + c];
                       });
                     }
                   }
                 });
  }
  return permute(context, images, {0, 3, 1, 2});
}

// Adds to dw and db; one that is undefined is left out, and x may be undefined where dw is.
template <class T>
void conv2d_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                            const Conv2dOptions& options, Tensor<T>& dw, Tensor<T>& db) {
  if (!dw.defined() && !db.defined()) return;
  detail::require(dy.rank() == 4, "conv2d_backward_weight",
                  [&] { return "gradient " + dy.shape().to_string() + " must have four axes"; });
  const std::int64_t O = dy.dim(1);
  detail::require(!db.defined() || db.shape() == Shape{O}, "conv2d_backward_weight", [&] {
    return "bias " + db.shape().to_string() + " does not fit gradient " + dy.shape().to_string();
  });
  if (const auto& table = context.table<kernels::Conv2dBackwardKernels<T>>(); table.weight != nullptr) {
    kernels::Conv2dBackwardArguments<T> arguments;
    if (dw.defined())
      arguments = detail::conv2d_backward_arguments<T>(
          detail::conv2d_columns_of("conv2d_backward_weight", dy.shape(), x.shape(), dw.shape(), options));
    arguments.B = dy.dim(0), arguments.O = O, arguments.out_h = dy.dim(2), arguments.out_w = dy.dim(3);
    arguments.dy = dy.data(), arguments.x = x.data(), arguments.dw = dw.data(), arguments.db = db.data();
    if (dw.defined()) table.weight(context.kernel(), arguments);
    if (db.defined()) table.bias(context.kernel(), arguments);
    return;
  }
  const Tensor<T> gradient = permute(context, dy, {0, 2, 3, 1});
  if (!dw.defined()) {
    Tensor<T> none;
    linear_backward_weight(context, gradient.reshape({gradient.size() / std::max<std::int64_t>(O, 1), O}),
                           none, none, db);
    return;
  }
  const detail::Conv2dColumns s =
      detail::conv2d_columns_of("conv2d_backward_weight", dy.shape(), x.shape(), dw.shape(), options);
  const Tensor<T> images = permute(context, x, {0, 2, 3, 1});
  Tensor<T> sum = context.allocate<T>({O, s.row()});
  std::fill_n(sum.data(), sum.size(), T(0));
  for (std::int64_t first = 0; first < s.B; first += s.part) {
    const std::int64_t count = std::min(s.part, s.B - first);
    Tensor<T> columns = context.allocate<T>({count * s.outputs(), s.row()});
    parallel_for(context.threads(), columns.dim(0), detail::grain_for(s.row()),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t n = begin; n < end; ++n) {
                     const T* image = images.data() + (first + n / s.outputs()) * s.H * s.W * s.C;
                     T* row = columns.data() + n * s.row();
                     s.for_each(n % s.outputs(), [&](std::int64_t column, std::int64_t frame) {
                       if (frame < 0)
                         std::fill_n(row + column, s.C, T(0));
                       else
                         std::copy_n(image + frame, s.C, row + column);
                     });
                   }
                 });
    linear_backward_weight(context, gradient.slice(first, count).reshape({count * s.outputs(), O}), columns,
                           sum, db);
  }
  const Tensor<T> turned = permute(context, sum.reshape({O, s.kernel_h, s.kernel_w, s.C}), {0, 3, 1, 2});
  for (std::int64_t n = 0; n < dw.size(); ++n) dw[n] += turned[n];
}

}  // namespace imu2music::inline v0
