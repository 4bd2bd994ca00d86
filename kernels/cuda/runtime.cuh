// The device's memory, streams and copies: what device_runtime.hpp asks for.
//
// A queue is a non-blocking stream with its cuBLAS handle, a pool of device blocks and a ring of pinned memory that
// uploads pass through. The handle has a workspace of its own and one stream, so its results are the same every time.
// Blocks are rounded up to eighths of a power of two and kept when they are released; the
// stream's order keeps their users apart. When the device is full, the queue's unused blocks go back to it first.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "../device_runtime.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

inline void check(cublasStatus_t status, const char* call, const char* file, int line) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail(call, static_cast<int>(status), cublasGetStatusName(status), "cuBLAS refused", file, line);
}

class Queue {
 public:
  Queue() {
    try {
      IMU2MUSIC_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
      for (Stage& stage : stages_) {
        IMU2MUSIC_CUDA_CHECK(cudaMallocHost(&stage.memory, stage_bytes));
        IMU2MUSIC_CUDA_CHECK(cudaEventCreateWithFlags(&stage.copied, cudaEventDisableTiming));
      }
    } catch (...) {
      free_stages();
      throw;
    }
  }
  ~Queue() {
    cudaStreamSynchronize(stream_);
    for (const auto& [memory, size] : sizes_) cudaFree(memory);
    if (workspace_ != nullptr) cudaFree(workspace_);
    if (cublas_ != nullptr) cublasDestroy(cublas_);
    free_stages();
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  cudaStream_t stream() const { return stream_; }
  // Made when the first product asks for it; its workspace after its stream, which would take it away again.
  cublasHandle_t cublas() {
    if (cublas_ == nullptr) IMU2MUSIC_CUDA_CHECK(cublasCreate(&cublas_));
    if (workspace_ == nullptr) {
      IMU2MUSIC_CUDA_CHECK(cublasSetStream(cublas_, stream_));
      IMU2MUSIC_CUDA_CHECK(cudaMalloc(&workspace_, workspace_bytes));
      IMU2MUSIC_CUDA_CHECK(cublasSetWorkspace(cublas_, workspace_, workspace_bytes));
    }
    return cublas_;
  }

  // Blocks may be released by any thread that holds the last handle to a tensor.
  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = rounded(bytes);
    std::vector<void*>& free = free_[size];
    if (!free.empty()) {
      void* memory = free.back();
      free.pop_back();
      return memory;
    }
    void* memory = nullptr;
    if (cudaMalloc(&memory, size) != cudaSuccess) {
      cudaGetLastError();  // it is dealt with
      synchronise();
      trim();
      IMU2MUSIC_CUDA_CHECK(cudaMalloc(&memory, size));
    }
    sizes_[memory] = size;
    capacity_ += size;
    return memory;
  }
  void release(void* memory) {
    const std::lock_guard lock(mutex_);
    free_[sizes_.at(memory)].push_back(memory);
  }
  std::size_t capacity() {
    const std::lock_guard lock(mutex_);
    return capacity_;
  }

  void synchronise() {
    ++waits_;
    IMU2MUSIC_CUDA_CHECK(cudaStreamSynchronize(stream_));
  }
  std::int64_t waits() const { return waits_; }

  // Pinned memory of `bytes`, at most stage_bytes, for a copy that is asked for before the next call. A stage is
  // taken again when all copies from it are done.
  void* stage(std::size_t bytes) {
    if (staged_ + bytes > stage_bytes) {
      IMU2MUSIC_CUDA_CHECK(cudaEventRecord(stages_[stage_].copied, stream_));
      stage_ = (stage_ + 1) % stage_count;
      const cudaError_t state = cudaEventQuery(stages_[stage_].copied);
      if (state == cudaErrorNotReady) {
        cudaGetLastError();  // no fault
        ++waits_;
        IMU2MUSIC_CUDA_CHECK(cudaEventSynchronize(stages_[stage_].copied));
      } else {
        check(state, "cudaEventQuery", __FILE__, __LINE__);
      }
      staged_ = 0;
    }
    void* memory = static_cast<char*>(stages_[stage_].memory) + staged_;
    staged_ += (bytes + 255) / 256 * 256;
    return memory;
  }

  static constexpr std::size_t stage_bytes = std::size_t{1} << 20;

 private:
  static constexpr int stage_count = 8;
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // as cuBLAS's manual has it for sm_90
  struct Stage {
    void* memory = nullptr;
    cudaEvent_t copied{};
  };

  // What the constructor makes; a null handle is one that it did not come to.
  void free_stages() {
    for (const Stage& stage : stages_) {
      if (stage.copied != nullptr) cudaEventDestroy(stage.copied);
      if (stage.memory != nullptr) cudaFreeHost(stage.memory);
    }
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  static std::size_t rounded(std::size_t bytes) {
    std::size_t step = 256;
    while (step * 8 < bytes) step *= 2;
    return bytes == 0 ? step : (bytes + step - 1) / step * step;
  }
  void trim() {
    for (auto& [size, blocks] : free_) {
      for (void* memory : blocks) {
        cudaFree(memory);
        sizes_.erase(memory);
        capacity_ -= size;
      }
      blocks.clear();
    }
  }

  cudaStream_t stream_{};
  cublasHandle_t cublas_{};
  void* workspace_ = nullptr;
  std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;  // by size
  std::unordered_map<void*, std::size_t> sizes_;    // of every block
  std::size_t capacity_ = 0;
  Stage stages_[stage_count];
  int stage_ = 0;
  std::size_t staged_ = 0;  // bytes taken of it
  std::int64_t waits_ = 0;
};

inline Queue& queue_of(const Context& context) { return *static_cast<Queue*>(context.handles); }

// Throws where this machine has no device that the program can use.
inline void require_device() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaErrorInsufficientDriver) {
    int wanted = 0, found = 0;
    cudaDriverGetVersion(&found);
    if (found == 0) throw DeviceFailure("this machine has no NVIDIA driver; install one or use the device cpu");
    cudaRuntimeGetVersion(&wanted);
    throw DeviceFailure("the NVIDIA driver is too old for CUDA " + std::to_string(wanted / 1000) + "." +
                        std::to_string(wanted % 1000 / 10) + ", which this program was built with; install a newer driver or use the device cpu");
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && devices == 0))
    throw DeviceFailure("this machine has no NVIDIA GPU; use the device cpu");
  check(error, "cudaGetDeviceCount", __FILE__, __LINE__);
  cudaDeviceProp properties;
  IMU2MUSIC_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
  if (properties.major < 8)
    throw DeviceFailure("the GPU " + std::string(properties.name) + " has compute capability " +
                        std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                        "; 8.0 or newer is wanted, or the device cpu");
}

inline void open_queue(Context& context) {
  require_device();
  auto queue = std::make_unique<Queue>();
  context.stream = queue->stream();
  context.handles = queue.release();
}
inline void close_queue(Context& context) {
  delete &queue_of(context);
  context.stream = context.handles = nullptr;
}
inline void* queue_allocate(const Context& context, std::size_t bytes) { return queue_of(context).allocate(bytes); }
inline void queue_release(const Context& context, void* memory) { queue_of(context).release(memory); }
inline std::size_t queue_capacity(const Context& context) { return queue_of(context).capacity(); }

inline void upload(const Context& context, void* device, const void* host, std::size_t bytes) {
  Queue& queue = queue_of(context);
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t part = bytes - done < Queue::stage_bytes ? bytes - done : Queue::stage_bytes;
    void* stage = queue.stage(part);
    std::memcpy(stage, static_cast<const char*>(host) + done, part);
    IMU2MUSIC_CUDA_CHECK(
        cudaMemcpyAsync(static_cast<char*>(device) + done, stage, part, cudaMemcpyHostToDevice, queue.stream()));
    done += part;
  }
}
inline void synchronise(const Context& context) { queue_of(context).synchronise(); }
inline std::int64_t queue_waits(const Context& context) { return queue_of(context).waits(); }
inline void download(const Context& context, void* host, const void* device, std::size_t bytes) {
  if (bytes > 0)
    IMU2MUSIC_CUDA_CHECK(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_of(context)));
  synchronise(context);
}
inline void copy_on_device(const Context& context, void* to, const void* from, std::size_t bytes) {
  if (bytes > 0)
    IMU2MUSIC_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(context)));
}
inline void zero(const Context& context, void* memory, std::size_t bytes) {
  if (bytes > 0) IMU2MUSIC_CUDA_CHECK(cudaMemsetAsync(memory, 0, bytes, stream_of(context)));
}

inline const char* describe_device() {
  static const std::string line = [] {
    require_device();
    cudaDeviceProp properties;
    IMU2MUSIC_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
    return std::string(properties.name) + ", compute capability " + std::to_string(properties.major) + "." +
           std::to_string(properties.minor) + ", " + std::to_string(properties.totalGlobalMem >> 20) + " MiB, " +
           std::to_string(properties.multiProcessorCount) + " multiprocessors";
  }();
  return line.c_str();
}

inline void install(DeviceRuntime& runtime) {
  runtime = {&open_queue, &close_queue, &queue_allocate, &queue_release, &queue_capacity, &upload,
             &download,   &copy_on_device, &zero,        &synchronise,   &queue_waits, &describe_device};
}

}  // namespace imu2music::inline v0::kernels::cuda
