// What every kernel file stands on: launching on a context's stream, errors with call, code and place, and the sums
// and maxima of a warp and a block.
//
// Kernels are written against the toolkit's headers by their names alone, so a host compiler builds them too where
// stand-ins for those headers come first (tests/cuda/host). For that they launch through launch() and reach dynamic
// shared memory through dynamic_shared().
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "../device_runtime.hpp"

namespace imu2music::inline v0::kernels::cuda {

[[noreturn]] inline void fail(const char* call, int code, const char* name, const char* text, const char* file,
                              int line) {
  std::string place = file;
  if (const std::size_t at = place.rfind("kernels/"); at != std::string::npos) place = place.substr(at);
  throw DeviceFailure("[cuda] " + place + ":" + std::to_string(line) + ": " + call + " failed: " + text + " (" + name +
                      ", " + std::to_string(code) + ")");
}

inline void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error != cudaSuccess)
    fail(call, static_cast<int>(error), cudaGetErrorName(error), cudaGetErrorString(error), file, line);
}

#define IMU2MUSIC_CUDA_CHECK(call) ::imu2music::kernels::cuda::check((call), #call, __FILE__, __LINE__)

inline cudaStream_t stream_of(const Context& context) { return static_cast<cudaStream_t>(context.stream); }

// Shared memory of the size given at launch, aligned to 128 bytes.
#ifdef IMU2MUSIC_CUDA_HOST_HARNESS
inline unsigned char* dynamic_shared() { return cuda_host::current->block->shared; }
#else
__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char imu2music_dynamic_shared[];
  return imu2music_dynamic_shared;
}
#endif

// Lets a kernel take more dynamic shared memory than 48 KiB. The most that it was ever allowed stays, since threads
// that launch the same kernel share this.
inline void allow_shared(const void* kernel, const char* name, std::size_t bytes) {
  constexpr std::size_t without_asking = 48 << 10;
  if (bytes <= without_asking) return;
  static std::mutex mutex;
  static std::map<const void*, std::size_t> allowed;
  const std::lock_guard lock(mutex);
  std::size_t& most = allowed[kernel];
  if (bytes <= most) return;
  int there = 0;
  check(cudaDeviceGetAttribute(&there, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), name, __FILE__, __LINE__);
  if (bytes > static_cast<std::size_t>(there))
    throw DeviceFailure("[cuda] " + std::string(name) + " wants " + std::to_string(bytes) +
                        " bytes of shared memory for sizes like these, and the GPU has " + std::to_string(there) +
                        "; compute on the cpu or with a narrower model");
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), name,
        __FILE__, __LINE__);
  most = bytes;
}

struct LaunchOptions {
  std::size_t shared = 0;    // bytes of dynamic shared memory
  bool cooperative = false;  // all blocks run at once and may wait for one another
};

// Launches kernel(arguments...) on the context's stream. An empty grid is no launch.
template <class... P, class... A>
void launch(const Context& context, const char* name, void (*kernel)(P...), dim3 grid, dim3 block,
            const LaunchOptions& options, A... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  allow_shared(reinterpret_cast<const void*>(kernel), name, options.shared);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = options.shared;
  config.stream = stream_of(context);
  config.attrs = &attribute;
  config.numAttrs = options.cooperative ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...), name, __FILE__, __LINE__);
}

template <class... P, class... A>
void launch(const Context& context, const char* name, void (*kernel)(P...), dim3 grid, dim3 block, A... arguments) {
  launch(context, name, kernel, grid, block, LaunchOptions{}, arguments...);
}

// Blocks of `size` for `count` elements.
inline unsigned blocks_for(std::int64_t count, std::int64_t size) {
  return static_cast<unsigned>((count + size - 1) / size);
}

constexpr unsigned whole_warp = 0xffffffffu;

// Over the warp's lanes; every lane has the result. The order of the sum is fixed.
template <class T>
__device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(whole_warp, x, step);
  return x;
}
template <class T>
__device__ __forceinline__ T warp_max(T x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(whole_warp, x, step);
    x = other > x ? other : x;
  }
  return x;
}

// Over a block of `Threads`, a multiple of 32; every thread has the result. partial: Threads / 32 numbers of shared
// memory, which may be used again at once.
template <int Threads, class T>
__device__ __forceinline__ T block_sum(T x, T* partial) {
  x = warp_sum(x);
  if constexpr (Threads == 32) return x;
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  T sum = 0;
#pragma unroll
  for (int warp = 0; warp < Threads / 32; ++warp) sum += partial[warp];
  __syncthreads();
  return sum;
}

}  // namespace imu2music::inline v0::kernels::cuda
