// The host harness: stands in for the CUDA toolkit's header of this name, so that kernels/cuda/ compiles with an
// ordinary compiler and runs on the CPU, where CI can hold every kernel against the scalar column.
//
// A block's threads are fibres of one system thread. Each runs until it meets a barrier or exchanges values with its
// warp, and goes on when all others have come that far; a block in which some never come is reported, not waited for.
// Blocks run one after another, so __shared__ variables are static; a cooperative launch runs all blocks side by side
// and may use dynamic shared memory alone. Device memory cannot be touched outside kernels and copies: code that
// follows a device pointer on the host dies at once, as it would on a device. Slow, and made to be.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__
#define IMU2MUSIC_CUDA_HOST_HARNESS 1

// ---- vectors ----------------------------------------------------------------------------------------------------

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// ---- threads ----------------------------------------------------------------------------------------------------

namespace cuda_host {

[[noreturn]] inline void die(const char* what) {
  std::fprintf(stderr, "cuda host harness: %s\n", what);
  std::abort();
}

struct Warp {
  unsigned arrived[32] = {};  // exchanges that each lane has come to
  alignas(16) unsigned char value[2][32][16] = {};
};

struct Block;

struct Fibre {
  void* stack_pointer = nullptr;
  void* stack = nullptr;
  Block* block = nullptr;
  uint3 index{};
  unsigned linear = 0;
  bool done = false;
  const unsigned* awaited = nullptr;  // waits until *awaited >= target (as a difference), null: can run
  unsigned target = 0;
  bool awaits_warp = false;
};

struct Block {
  uint3 index{};
  Fibre* fibres = nullptr;
  Warp* warps = nullptr;
  unsigned count = 0, alive = 0, waiting = 0, generation = 0;
  int votes = 0, voted = 0;  // of __syncthreads_or and its like
  unsigned char* shared = nullptr;
};

inline Fibre* current = nullptr;

void launch(dim3 blocks, dim3 threads, std::size_t shared, bool cooperative, const std::function<void()>& kernel);
void exchange(const void* value, std::size_t bytes, unsigned mask);  // writes the lane's value, waits for all lanes
const void* exchanged(unsigned lane);                                // what `lane` wrote
void barrier();
void grid_barrier();
int vote(int value, int& all);  // adds over the block; `all`: of how many

template <class T>
T shuffle(unsigned mask, T value, unsigned lane) {
  static_assert(sizeof(T) <= 16);
  exchange(&value, sizeof(T), mask);
  T result;
  std::memcpy(&result, exchanged(lane), sizeof(T));
  return result;
}
inline unsigned lane() { return current->linear % 32; }

// Opens device memory for as long as it lives.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
};

}  // namespace cuda_host

// Of the fibre that runs; set whenever another takes over.
inline uint3 threadIdx{}, blockIdx{};
inline dim3 blockDim, gridDim;
constexpr int warpSize = 32;

inline void __syncthreads() { cuda_host::barrier(); }
inline int __syncthreads_or(int value) {
  int all = 0;
  return cuda_host::vote(value != 0, all) > 0;
}
inline int __syncthreads_and(int value) {
  int all = 0;
  return cuda_host::vote(value != 0, all) == all;
}
inline int __syncthreads_count(int value) {
  int all = 0;
  return cuda_host::vote(value != 0, all);
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { cuda_host::exchange(nullptr, 0, mask); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) {}

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const unsigned lane = cuda_host::lane(), w = static_cast<unsigned>(width);
  return cuda_host::shuffle(mask, value, lane / w * w + static_cast<unsigned>(from) % w);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
  const unsigned lane = cuda_host::lane(), w = static_cast<unsigned>(width), from = lane ^ static_cast<unsigned>(with);
  return cuda_host::shuffle(mask, value, from / w == lane / w ? from : lane);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned lane = cuda_host::lane(), w = static_cast<unsigned>(width);
  return cuda_host::shuffle(mask, value, lane % w + by < w ? lane + by : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned lane = cuda_host::lane(), w = static_cast<unsigned>(width);
  return cuda_host::shuffle(mask, value, lane % w >= by ? lane - by : lane);
}
inline unsigned __ballot_sync(unsigned mask, int value) {
  const int mine = value != 0;
  cuda_host::exchange(&mine, sizeof mine, mask);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    int theirs;
    std::memcpy(&theirs, cuda_host::exchanged(lane), sizeof theirs);
    bits |= static_cast<unsigned>(theirs) << lane;
  }
  return bits;
}
inline int __any_sync(unsigned mask, int value) { return __ballot_sync(mask, value) != 0; }
inline int __all_sync(unsigned mask, int value) { return __ballot_sync(mask, value) == 0xffffffffu; }

// ---- atomics: fibres never interrupt one another ----------------------------------------------------------------

template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = old + value;
  return old;
}
template <class T>
T atomicMax(T* at, T value) {
  const T old = *at;
  *at = old < value ? value : old;
  return old;
}
template <class T>
T atomicMin(T* at, T value) {
  const T old = *at;
  *at = value < old ? value : old;
  return old;
}
template <class T>
T atomicExch(T* at, T value) {
  const T old = *at;
  *at = value;
  return old;
}
template <class T>
T atomicCAS(T* at, T compare, T value) {
  const T old = *at;
  if (old == compare) *at = value;
  return old;
}
inline unsigned atomicInc(unsigned* at, unsigned limit) {
  const unsigned old = *at;
  *at = old >= limit ? 0 : old + 1;
  return old;
}

// ---- arithmetic -------------------------------------------------------------------------------------------------

inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline float __expf(float x) { return std::exp(x); }
inline float __exp2f(float x) { return std::exp2(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fdiv_rn(float a, float b) { return a / b; }
template <class T>
T __ldg(const T* at) {
  return *at;
}
template <class T>
T __ldcs(const T* at) {
  return *at;
}
template <class T>
T __ldcg(const T* at) {
  return *at;
}
template <class T>
void __stcs(T* at, T value) {
  *at = value;
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
inline int __float_as_int(float x) { return static_cast<int>(__float_as_uint(x)); }
inline float __int_as_float(int bits) { return __uint_as_float(static_cast<unsigned>(bits)); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __dp4a(int a, int b, int sum) {
  for (int i = 0; i < 4; ++i) sum += static_cast<std::int8_t>(a >> 8 * i) * static_cast<std::int8_t>(b >> 8 * i);
  return sum;
}

// ---- the runtime library ----------------------------------------------------------------------------------------

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900,
};
inline const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaSuccess ? "cudaSuccess" : error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaError";
}
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : error == cudaErrorMemoryAllocation ? "out of memory" : "an error";
}

using cudaStream_t = struct CudaHostStream*;
using cudaEvent_t = struct CudaHostEvent*;

enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocHost(void** memory, std::size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
inline cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
struct cudaDeviceProp {
  char name[256] = "host harness";
  int major = 8, minor = 0, multiProcessorCount = 4;
  std::size_t totalGlobalMem = std::size_t{1} << 32;
};
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  return cudaSuccess;
}

enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin };
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 227 << 10;
  return cudaSuccess;
}

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int bytes) {
  return bytes <= 227 << 10 ? cudaSuccess : cudaErrorInvalidValue;
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel*, int, std::size_t) {
  *blocks = 1;
  return cudaSuccess;
}

enum cudaLaunchAttributeID { cudaLaunchAttributeCooperative = 2 };
union cudaLaunchAttributeValue {
  int cooperative;
};
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  cudaLaunchAttributeValue val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... arguments) {
  bool cooperative = false;
  for (unsigned i = 0; i < config->numAttrs; ++i)
    cooperative |= config->attrs[i].id == cudaLaunchAttributeCooperative && config->attrs[i].val.cooperative;
  cuda_host::launch(config->gridDim, config->blockDim, config->dynamicSmemBytes, cooperative,
                    [&] { kernel(static_cast<P>(arguments)...); });
  return cudaSuccess;
}
