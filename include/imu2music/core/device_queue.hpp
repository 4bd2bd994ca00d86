// An ordered stream of work on a device, with the memory that belongs to it.
//
// A Context for the device has one; tensors made by it keep it alive. Work of one queue runs in the order in
// which it was asked for; between queues there is no order until one is synchronised.
#pragma once

#include <cstddef>
#include <memory>

#include <device_runtime.hpp>
#include "imu2music/core/error.hpp"

namespace imu2music::inline v0 {

class DeviceQueue {
 public:
  // Throws DeviceError where this machine has no device that the program can use.
  DeviceQueue() {
    context_.backend = kernels::Backend::cuda;
    try {
      kernels::cuda_runtime->open(context_);
    } catch (const kernels::DeviceFailure& failure) {
      throw DeviceError(failure.what());
    }
  }
  ~DeviceQueue() { kernels::cuda_runtime->close(context_); }
  DeviceQueue(const DeviceQueue&) = delete;
  DeviceQueue& operator=(const DeviceQueue&) = delete;

  const kernels::Context& kernel() const { return context_; }
  std::size_t capacity() const { return kernels::cuda_runtime->capacity(context_); }  // bytes, in use or not

  // Uninitialised memory of the device, which goes back to the queue with its last owner. Throws DeviceError
  // where the device has no more.
  static std::shared_ptr<std::byte> take(const std::shared_ptr<DeviceQueue>& queue, std::size_t bytes) {
    void* memory = nullptr;
    try {
      memory = kernels::cuda_runtime->allocate(queue->context_, bytes);
    } catch (const kernels::DeviceFailure& failure) {
      throw DeviceError(failure.what());
    }
    return {static_cast<std::byte*>(memory),
            [queue](std::byte* block) { kernels::cuda_runtime->release(queue->context_, block); }};
  }

 private:
  kernels::Context context_;
};

}  // namespace imu2music::inline v0
