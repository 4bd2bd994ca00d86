// The gradients of two-dimensional cross-correlation on the device.
//
//   input   the implicit product of conv2d.cuh with the weight's channels exchanged: an element of dx is one chain of
//           multiply-adds over (o, u, v)
//   weight  an implicit product too, of dy, [O, pixels], with the columns of the images, [pixels, C kernel_h
//           kernel_w], pixels of all images counted together. Pixels are cut into parts, one a block, whose products
//           are added in rising order
//   bias    a block a channel
//
// The weight's kernel reads dy once for a tile of taps and the images once for a tile of channels, and writes and
// reads its parts once.
#pragma once

#include "../conv2d_backward_table.hpp"
#include "conv2d.cuh"
#include "launch.cuh"
#include "partial_sums.cuh"

namespace imu2music::inline v0::kernels::cuda {

inline void conv2d_backward_input(const Context& context, const Conv2dBackwardArguments<float>& g) {
  Conv2dProduct a;
  a.image = g.dy, a.weight = g.w, a.y = g.dx;
  a.planes = g.O, a.M = g.C, a.taps = g.O * g.kernel_h * g.kernel_w;
  a.plane_end = g.B * g.C;
  a.pixels = g.B * g.H * g.W;
  a.H = static_cast<int>(g.out_h), a.W = static_cast<int>(g.out_w);
  a.kernel_w = static_cast<int>(g.kernel_w), a.kernel = static_cast<int>(g.kernel_h * g.kernel_w);
  a.out_w = static_cast<int>(g.W), a.out = static_cast<int>(g.H * g.W);
  a.stride_h = static_cast<int>(g.stride_h), a.stride_w = static_cast<int>(g.stride_w);
  a.pad_h = static_cast<int>(g.pad_h), a.pad_w = static_cast<int>(g.pad_w);
  launch_conv2d<true>(context, "conv2d_backward_input", a);
}

// What the weight's kernel knows of a pixel and of a tap.
struct Conv2dPixel {
  std::int64_t dy;  // of channel 0's element; negative: there is no such pixel
  std::int64_t x;   // of its image's first element
  int row, column;  // of the element at tap (0, 0), which may lie in the padding
};
struct Conv2dColumn {
  std::int64_t x;  // of its plane's first element
  int u, v;        // u < 0: there is no such tap
};

// partial[part][o][tap]; a thread has Side channels, neighbours, and Side taps, 16 apart.
template <int Side>
__global__ void __launch_bounds__(256, 2)
    conv2d_backward_weight_kernel(Conv2dBackwardArguments<float> a, float* __restrict__ partial,
                                  std::int64_t part_pixels) {
  constexpr int tile = 16 * Side, row_length = tile + 4;
  constexpr int length = Side > 4 ? 8 : 16;  // pixels of a step: few where a thread has many sums
  [[maybe_unused]] constexpr int unrolled = Side > 4 ? 2 : 4;
  constexpr int fetched = tile * length / 256;
  alignas(16) __shared__ float gradients[2][length][row_length];
  __shared__ float columns[2][length][row_length];
  __shared__ Conv2dPixel pixels[2][length];
  __shared__ Conv2dColumn taps[tile];
  const int thread = static_cast<int>(threadIdx.x), H = static_cast<int>(a.H), W = static_cast<int>(a.W);
  const std::int64_t count = a.C * a.kernel_h * a.kernel_w, out = a.out_h * a.out_w;
  const std::int64_t tap_tiles = (count + tile - 1) / tile;
  const std::int64_t first_channel = std::int64_t{blockIdx.x} / tap_tiles * tile;
  const std::int64_t first_tap = std::int64_t{blockIdx.x} % tap_tiles * tile;
  const std::int64_t part = blockIdx.y, begin = part * part_pixels;
  const std::int64_t all = a.B * out, end = begin + part_pixels < all ? begin + part_pixels : all;

  const auto pixel_at = [&](std::int64_t n) -> Conv2dPixel {
    if (n >= end) return {-1, 0, 0, 0};
    const std::int64_t b = n / out, place = n - b * out, i = place / a.out_w, j = place - i * a.out_w;
    return {b * a.O * out + place, b * a.C * a.H * a.W, static_cast<int>(i * a.stride_h - a.pad_h),
            static_cast<int>(j * a.stride_w - a.pad_w)};
  };
  if (thread < tile) {
    const std::int64_t tap = first_tap + thread, kernel = a.kernel_h * a.kernel_w, c = tap / kernel;
    const int uv = static_cast<int>(tap - c * kernel), kernel_w = static_cast<int>(a.kernel_w);
    taps[thread] = tap < count ? Conv2dColumn{c * a.H * a.W, uv / kernel_w, uv % kernel_w} : Conv2dColumn{0, -1, 0};
  }
  if (thread < 2 * length) pixels[thread / length][thread % length] = pixel_at(begin + thread);
  __syncthreads();

  const int own = thread % length;  // the pixel of a step that this thread fetches for
  float next_gradients[fetched], next_columns[fetched];
  const auto fetch = [&](const Conv2dPixel& pixel) {
#pragma unroll
    for (int n = 0; n < fetched; ++n) {
      const int at = thread / length + 256 / length * n;
      const std::int64_t channel = first_channel + at;
      next_gradients[n] = pixel.dy >= 0 && channel < a.O ? a.dy[pixel.dy + channel * out] : 0.0f;
      const Conv2dColumn tap = taps[at];
      const int row = pixel.row + tap.u, column = pixel.column + tap.v;
      const bool inside = pixel.dy >= 0 && tap.u >= 0 && row >= 0 && row < H && column >= 0 && column < W;
      next_columns[n] = inside ? a.x[pixel.x + tap.x + static_cast<std::int64_t>(row) * W + column] : 0.0f;
    }
  };
  const auto put = [&](int piece) {
#pragma unroll
    for (int n = 0; n < fetched; ++n) {
      gradients[piece][own][thread / length + 256 / length * n] = next_gradients[n];
      columns[piece][own][thread / length + 256 / length * n] = next_columns[n];
    }
  };

  const int tap_thread = thread % 16, channel_thread = thread / 16;
  float sums[Side][Side] = {};
  const std::int64_t steps = (end - begin + length - 1) / length;
  fetch(pixels[0][own]);
  put(0);
  __syncthreads();
  for (std::int64_t step = 0; step < steps; ++step) {
    const int piece = static_cast<int>(step % 2);
    const bool more = step + 1 < steps;
    if (more) {
      fetch(pixels[1 - piece][own]);
      // All threads had fetched with this step's pixels before the last barrier.
      if (thread < length) pixels[piece][thread] = pixel_at(begin + (step + 2) * length + thread);
    }
#pragma unroll unrolled
    for (int k = 0; k < length; ++k) {
      float g[Side], x[Side];
#pragma unroll
      for (int m = 0; m < Side; ++m) g[m] = gradients[piece][k][channel_thread * Side + m];
#pragma unroll
      for (int n = 0; n < Side; ++n) x[n] = columns[piece][k][tap_thread + 16 * n];
#pragma unroll
      for (int m = 0; m < Side; ++m)
#pragma unroll
        for (int n = 0; n < Side; ++n) sums[m][n] += g[m] * x[n];
    }
    if (more) put(1 - piece);
    __syncthreads();
  }
#pragma unroll
  for (int m = 0; m < Side; ++m) {
    const std::int64_t channel = first_channel + channel_thread * Side + m;
#pragma unroll
    for (int n = 0; n < Side; ++n) {
      const std::int64_t tap = first_tap + tap_thread + 16 * n;
      if (channel < a.O && tap < count) partial[(part * a.O + channel) * count + tap] = sums[m][n];
    }
  }
}

template <int Side>
void launch_conv2d_backward_weight(const Context& context, const Conv2dBackwardArguments<float>& a) {
  constexpr std::int64_t blocks_enough = 512, least_pixels = 256, most_parts = 256;
  const std::int64_t taps = a.C * a.kernel_h * a.kernel_w, pixels = a.B * a.out_h * a.out_w;
  const std::int64_t tiles = std::int64_t{blocks_for(a.O, 16 * Side)} * blocks_for(taps, 16 * Side);
  if (tiles == 0 || pixels == 0) return;
  std::int64_t parts = blocks_enough / tiles < most_parts ? blocks_enough / tiles : most_parts;
  if (parts > pixels / least_pixels) parts = pixels / least_pixels;
  if (parts < 1) parts = 1;
  const std::int64_t part_pixels = (pixels + parts - 1) / parts;
  parts = (pixels + part_pixels - 1) / part_pixels;
  const PartialSums partial(context, parts, a.O * taps);
  launch(context, "conv2d_backward_weight", conv2d_backward_weight_kernel<Side>,
         dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(parts)), 256, a, partial.data(), part_pixels);
  add_partial_sums(context, partial.data(), a.dw, parts, a.O * taps, a.O * taps);
}

inline void conv2d_backward_weight(const Context& context, const Conv2dBackwardArguments<float>& a) {
  constexpr std::int64_t small = 32, large = 128;
  const std::int64_t taps = a.C * a.kernel_h * a.kernel_w;
  if (a.O <= small || taps <= small)
    launch_conv2d_backward_weight<2>(context, a);
  else if (a.O >= large && taps >= 4 * large)
    launch_conv2d_backward_weight<8>(context, a);
  else
    launch_conv2d_backward_weight<4>(context, a);
}

__global__ void __launch_bounds__(256) conv2d_backward_bias_kernel(const float* __restrict__ dy, float* db,
                                                                   std::int64_t B, std::int64_t O, std::int64_t out) {
  __shared__ float partial[8];
  const std::int64_t o = blockIdx.x, count = B * out;
  float sum = 0;
#pragma unroll 4
  for (std::int64_t n = threadIdx.x; n < count; n += 256) {
    const std::int64_t b = n / out;
    sum += dy[(b * O + o) * out + (n - b * out)];
  }
  sum = block_sum<256>(sum, partial);
  if (threadIdx.x == 0) db[o] += sum;
}

inline void conv2d_backward_bias(const Context& context, const Conv2dBackwardArguments<float>& a) {
  launch(context, "conv2d_backward_bias", conv2d_backward_bias_kernel, static_cast<unsigned>(a.O), 256, a.dy, a.db,
         a.B, a.O, a.out_h * a.out_w);
}

inline void install(Conv2dBackwardKernels<float>& table) {
  table = {&conv2d_backward_input, &conv2d_backward_weight, &conv2d_backward_bias};
}

}  // namespace imu2music::inline v0::kernels::cuda
