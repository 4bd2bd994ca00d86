// Two-dimensional cross-correlation on the device, and its gradient in the input: an implicit product of the weight,
// [O, C kernel_h kernel_w], with the columns of the images, which are gathered as they are needed and never stored.
//
// A block computes a tile of outputs (channels by pixels, the pixels of all images counted together); its threads
// bring a step's taps of the weight and of the columns into one of two pieces of shared memory while they
// multiply what lies in the other. Where a tap is to be found is worked out by a few threads, once for the block.
// Each output is one chain of multiply-adds over (c, u, v), whatever the tile. Bias, batch norm and activation act on
// the registers that are written.
//
// Reads an image once a tile of channels (from the second-level cache but for the first), a weight once a tile of
// pixels; writes y once.
#pragma once

#include "../conv2d_table.hpp"
#include "activation.cuh"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int conv2d_threads = 256;

// sum over taps (plane p, u, v) of weight(m, tap) image(b, p, row, column), for channel m of pixel (b, i, j):
//
//   forward   row = i stride_h - pad_h + u, and so the column
//   gradient  row = (i + pad_h - u) / stride_h where this is whole, and so the column
struct Conv2dProduct {
  const float* image = nullptr;  // [B, planes, H, W]
  const float* weight = nullptr;
  const float* bias = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
  float* y = nullptr;       // [B, M, out_h, out_w]
  std::int64_t taps = 0;    // planes kernel_h kernel_w
  std::int64_t pixels = 0;  // of images b_begin onwards, all together
  std::int64_t b_begin = 0;
  std::int64_t plane_begin = 0, plane_end = 0;  // of y, b M + m: others are left alone
  std::int64_t planes = 0, M = 0;
  int H = 0, W = 0, kernel_w = 0, kernel = 0, out_w = 0, out = 0;  // kernel = kernel_h kernel_w, out = out_h out_w
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  Activation activation = Activation::none;
  float slope = 0;
};

struct Conv2dTap {
  std::int64_t image;   // of its plane's first element
  std::int64_t weight;  // of channel 0's
  int u, v;             // u < 0: there is no such tap
};

template <bool Gradient>
__device__ __forceinline__ Conv2dTap conv2d_tap(const Conv2dProduct& a, std::int64_t k) {
  if (k >= a.taps) return {0, 0, -1, 0};
  const std::int64_t plane = k / a.kernel;
  const int uv = static_cast<int>(k % a.kernel), u = uv / a.kernel_w;
  return {plane * a.H * a.W, Gradient ? plane * a.M * a.kernel + uv : k, u, uv - u * a.kernel_w};
}

// The image's element at a tap of the pixel whose first row and column are given.
template <bool Gradient>
__device__ __forceinline__ float conv2d_gather(const Conv2dProduct& a, const float* image, const Conv2dTap& tap,
                                               int row, int column) {
  if (tap.u < 0) return 0;
  if constexpr (Gradient) {
    row -= tap.u, column -= tap.v;
    if (row < 0 || column < 0) return 0;
    const int i = row / a.stride_h, j = column / a.stride_w;
    if (i * a.stride_h != row || j * a.stride_w != column) return 0;
    row = i, column = j;
  } else {
    row += tap.u, column += tap.v;
    if (row < 0 || column < 0) return 0;
  }
  if (row >= a.H || column >= a.W) return 0;
  return image[tap.image + static_cast<std::int64_t>(row) * a.W + column];
}

// A thread has Channels channels, neighbours, and Pixels pixels, PixelThreads apart.
template <int Channels, int Pixels, int ChannelThreads, int PixelThreads, bool Gradient>
__global__ void __launch_bounds__(conv2d_threads, 2) conv2d_kernel(Conv2dProduct a) {
  static_assert(ChannelThreads * PixelThreads == conv2d_threads && Channels % 4 == 0);
  constexpr int channel_tile = Channels * ChannelThreads, pixel_tile = Pixels * PixelThreads;
  constexpr int length = Channels * Pixels > 16 ? 8 : 16;  // taps of a step: few where a thread has many sums
  [[maybe_unused]] constexpr int unrolled = Channels * Pixels > 16 ? 2 : 4;
  static_assert(conv2d_threads % pixel_tile == 0 && length % (conv2d_threads / pixel_tile) == 0);
  constexpr int channel_row = channel_tile + 4;  // keeps four neighbours aligned and columns out of one bank
  constexpr int gathered = length * pixel_tile / conv2d_threads;
  constexpr int fetched = (length * channel_tile + conv2d_threads - 1) / conv2d_threads;
  alignas(16) __shared__ float weights[2][length][channel_row];
  __shared__ float columns[2][length][pixel_tile];
  __shared__ Conv2dTap taps[2][length];
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t first_pixel = std::int64_t{blockIdx.x} * pixel_tile;
  const std::int64_t first_channel = std::int64_t{blockIdx.y} * channel_tile;

  // The pixel that this thread gathers for, at taps thread / pixel_tile, and so on.
  const std::int64_t own_pixel = first_pixel + thread % pixel_tile;
  const bool has_pixel = own_pixel < a.pixels;
  const std::int64_t own_b = has_pixel ? own_pixel / a.out : 0;
  const int own_place = has_pixel ? static_cast<int>(own_pixel - own_b * a.out) : 0;
  const int own_i = own_place / a.out_w, own_j = own_place - own_i * a.out_w;
  const int row = Gradient ? own_i + a.pad_h : own_i * a.stride_h - a.pad_h;
  const int column = Gradient ? own_j + a.pad_w : own_j * a.stride_w - a.pad_w;
  const float* image = a.image + (a.b_begin + own_b) * a.planes * a.H * a.W;
  const std::int64_t weight_row = Gradient ? a.kernel : a.taps;

  float next_columns[gathered], next_weights[fetched];
  const auto fetch = [&](const Conv2dTap* step) {
#pragma unroll
    for (int n = 0; n < gathered; ++n)
      next_columns[n] =
          has_pixel ? conv2d_gather<Gradient>(a, image, step[thread / pixel_tile + n * (conv2d_threads / pixel_tile)],
                                              row, column)
                    : 0.0f;
#pragma unroll
    for (int n = 0; n < fetched; ++n) {
      const int at = thread + n * conv2d_threads;
      const Conv2dTap& tap = step[at % length];
      const std::int64_t m = first_channel + at / length;
      next_weights[n] =
          at < length * channel_tile && m < a.M && tap.u >= 0 ? a.weight[m * weight_row + tap.weight] : 0.0f;
    }
  };
  const auto put = [&](int piece) {
#pragma unroll
    for (int n = 0; n < gathered; ++n)
      columns[piece][thread / pixel_tile + n * (conv2d_threads / pixel_tile)][thread % pixel_tile] = next_columns[n];
#pragma unroll
    for (int n = 0; n < fetched; ++n) {
      const int at = thread + n * conv2d_threads;
      if (at < length * channel_tile) weights[piece][at % length][at / length] = next_weights[n];
    }
  };

  const int pixel_thread = thread % PixelThreads, channel_thread = thread / PixelThreads;
  float sums[Channels][Pixels];
#pragma unroll
  for (int m = 0; m < Channels; ++m) {
    const std::int64_t channel = first_channel + channel_thread * Channels + m;
    const float start = a.bias != nullptr && channel < a.M ? a.bias[channel] : 0.0f;
#pragma unroll
    for (int p = 0; p < Pixels; ++p) sums[m][p] = start;
  }

  const std::int64_t steps = (a.taps + length - 1) / length;
  if (thread < 2 * length) taps[thread / length][thread % length] = conv2d_tap<Gradient>(a, thread);
  __syncthreads();
  fetch(taps[0]);
  put(0);
  __syncthreads();
  for (std::int64_t step = 0; step < steps; ++step) {
    const int piece = static_cast<int>(step % 2);
    const bool more = step + 1 < steps;
    if (more) {
      fetch(taps[1 - piece]);
      // The taps of this step have been used: all threads had fetched with them before the last barrier.
      if (thread < length) taps[piece][thread] = conv2d_tap<Gradient>(a, (step + 2) * length + thread);
    }
#pragma unroll unrolled
    for (int k = 0; k < length; ++k) {
      float w[Channels], x[Pixels];
#pragma unroll
      for (int m = 0; m < Channels; m += 4) {
        const float4 four = *reinterpret_cast<const float4*>(&weights[piece][k][channel_thread * Channels + m]);
        w[m] = four.x, w[m + 1] = four.y, w[m + 2] = four.z, w[m + 3] = four.w;
      }
#pragma unroll
      for (int p = 0; p < Pixels; ++p) x[p] = columns[piece][k][pixel_thread + p * PixelThreads];
#pragma unroll
      for (int m = 0; m < Channels; ++m)
#pragma unroll
        for (int p = 0; p < Pixels; ++p) sums[m][p] += w[m] * x[p];
    }
    if (more) put(1 - piece);
    __syncthreads();
  }

#pragma unroll
  for (int p = 0; p < Pixels; ++p) {
    const std::int64_t pixel = first_pixel + pixel_thread + p * PixelThreads;
    if (pixel >= a.pixels) continue;
    const std::int64_t image_of = pixel / a.out, place = pixel - image_of * a.out;
#pragma unroll
    for (int m = 0; m < Channels; ++m) {
      const std::int64_t channel = first_channel + channel_thread * Channels + m;
      const std::int64_t plane = (a.b_begin + image_of) * a.M + channel;
      if (channel >= a.M || plane < a.plane_begin || plane >= a.plane_end) continue;
      float y = sums[m][p];
      if (a.scale != nullptr) y = y * a.scale[channel] + (a.shift != nullptr ? a.shift[channel] : 0.0f);
      a.y[plane * a.out + place] = activate(y, a.activation, a.slope);
    }
  }
}

template <int Channels, int Pixels, int ChannelThreads, int PixelThreads, bool Gradient>
void launch_conv2d_tile(const Context& context, const char* name, const Conv2dProduct& product) {
  launch(context, name, conv2d_kernel<Channels, Pixels, ChannelThreads, PixelThreads, Gradient>,
         dim3(blocks_for(product.pixels, Pixels * PixelThreads), blocks_for(product.M, Channels * ChannelThreads)),
         conv2d_threads, product);
}

// Tiles as large as there are channels and pixels for.
template <bool Gradient>
void launch_conv2d(const Context& context, const char* name, const Conv2dProduct& product) {
  constexpr std::int64_t blocks_enough = 256;  // of the largest tile
  if (product.M <= 8)
    launch_conv2d_tile<8, 1, 1, 256, Gradient>(context, name, product);
  else if (product.M <= 32)
    launch_conv2d_tile<4, 4, 8, 32, Gradient>(context, name, product);
  else if (product.M <= 64 || (product.M + 127) / 128 * ((product.pixels + 127) / 128) < blocks_enough)
    launch_conv2d_tile<4, 4, 16, 16, Gradient>(context, name, product);
  else
    launch_conv2d_tile<8, 8, 16, 16, Gradient>(context, name, product);
}

inline void conv2d_forward(const Context& context, const Conv2dArguments<float>& arguments, std::int64_t plane_begin,
                           std::int64_t plane_end) {
  if (plane_begin >= plane_end) return;
  const Conv2dArguments<float>& g = arguments;
  Conv2dProduct a;
  a.image = g.x, a.weight = g.w, a.bias = g.bias, a.scale = g.scale, a.shift = g.shift, a.y = g.y;
  a.planes = g.C, a.M = g.O, a.taps = g.C * g.kernel_h * g.kernel_w;
  a.plane_begin = plane_begin, a.plane_end = plane_end;
  a.b_begin = plane_begin / g.O;
  a.pixels = ((plane_end - 1) / g.O + 1 - a.b_begin) * g.out_h * g.out_w;
  a.H = static_cast<int>(g.H), a.W = static_cast<int>(g.W);
  a.kernel_w = static_cast<int>(g.kernel_w), a.kernel = static_cast<int>(g.kernel_h * g.kernel_w);
  a.out_w = static_cast<int>(g.out_w), a.out = static_cast<int>(g.out_h * g.out_w);
  a.stride_h = static_cast<int>(g.stride_h), a.stride_w = static_cast<int>(g.stride_w);
  a.pad_h = static_cast<int>(g.pad_h), a.pad_w = static_cast<int>(g.pad_w);
  a.activation = g.activation, a.slope = g.slope;
  launch_conv2d<false>(context, "conv2d_forward", a);
}

inline void install(Conv2dKernels<float>& table) { table.forward = &conv2d_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
