// Where and how an operation runs: the device, the number of threads, and the memory its result comes from.
//
// On a device results come from the queue's pool. On the CPU, with an arena every result is a view into it,
// valid until the scope around the call ends; without one every result owns its memory. A Context belongs to
// one thread at a time; models are shared, contexts are not.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <kernel_context.hpp>
#include "imu2music/core/buffer.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/device_queue.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/shape.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

class Context {
 public:
  // threads: at most so many of the CPU's at once; every result is the same for any number. Throws
  // DeviceError where there is no such device. Copies of a context for a GPU share its queue.
  explicit Context(int threads = 1, Device device = Device::cpu()) : device_(device) {
    if (threads < 1)
      throw Error("[context] the number of threads must be 1 or more, not " + std::to_string(threads));
    if (on_device()) {
      queue_ = std::make_shared<DeviceQueue>();
      kernel_ = queue_->kernel();
      return;  // one thread asks, the device computes
    }
    kernel_.threads = threads;
  }

  Device device() const { return device_; }
  bool on_device() const { return device_.backend() != kernels::Backend::cpu; }
  const std::shared_ptr<DeviceQueue>& queue() const { return queue_; }  // null on the CPU
  int threads() const { return kernel_.threads; }
  const kernels::Context& kernel() const { return kernel_; }
  // What a device may round the operands of large products of matrices to; the CPU rounds nothing.
  void set_matrices(kernels::MatrixPrecision precision) { kernel_.matrices = precision; }
  Arena* arena() const { return arena_; }
  void set_arena(Arena* arena) { arena_ = arena; }
  // Blocks that results are made of again and again, where there is no arena; shared, for results may outlive
  // the context.
  void set_pool(std::shared_ptr<BufferPool> pool) { pool_ = std::move(pool); }
  // What lasting results, packed weights and caches, stand side by side in; each of them keeps it alive.
  void set_lasting(std::shared_ptr<Arena> arena) { lasting_ = std::move(arena); }
  bool has_lasting() const { return lasting_ != nullptr; }
  // What records operations for a backward pass (autograd/tape.hpp: Tape<T>), or null.
  void* tape() const { return tape_; }
  void set_tape(void* tape) { tape_ = tape; }

  // An uninitialised tensor for a result.
  template <class T>
  Tensor<T> allocate(const Shape& shape) {
    auto bytes = static_cast<std::size_t>(shape.element_count()) * sizeof(T);
    if (queue_ != nullptr) {
      std::shared_ptr<std::byte> block = DeviceQueue::take(queue_, bytes);
      T* data = reinterpret_cast<T*>(block.get());
      return Tensor<T>::view(data, shape, std::move(block), device_);
    }
    if (arena_ != nullptr) return Tensor<T>::view(static_cast<T*>(arena_->take(bytes)), shape);
    if (pool_ == nullptr) return Tensor<T>::uninitialised(shape);
    std::shared_ptr<std::byte> block = BufferPool::take(pool_, bytes);
    T* data = reinterpret_cast<T*>(block.get());
    return Tensor<T>::view(data, shape, std::move(block));
  }

  // An uninitialised tensor on the CPU that outlives every scope, such as a cache's.
  template <class T>
  Tensor<T> allocate_lasting(const Shape& shape) {
    if (lasting_ == nullptr) return Tensor<T>::uninitialised(shape);
    T* data = static_cast<T*>(lasting_->take(static_cast<std::size_t>(shape.element_count()) * sizeof(T)));
    return Tensor<T>::view(data, shape, lasting_);
  }

  // The same on the CPU, for what the host writes and a device then takes a copy of (core/transfer.hpp).
  template <class T>
  Tensor<T> allocate_on_host(const Shape& shape) {
    return on_device() ? Tensor<T>::uninitialised(shape) : allocate<T>(shape);
  }

  // The table of an operation for this context's device. Throws DeviceError where it has none, or where
  // IMU2MUSIC_FORCE_ISA cannot be followed.
  template <class Table>
  const Table& table() const {
    if (on_device()) {
      if (kernels::cuda_column<Table> == nullptr)
        throw DeviceError("[cuda] there is no such operation on the device in this number type");
      return *kernels::cuda_column<Table>;
    }
    active_isa();
    return kernels::cpu_table<Table>();
  }

 private:
  Device device_;
  kernels::Context kernel_;
  Arena* arena_ = nullptr;
  std::shared_ptr<Arena> lasting_;
  std::shared_ptr<BufferPool> pool_;
  std::shared_ptr<DeviceQueue> queue_;
  void* tape_ = nullptr;
};

// Takes the context's results from `arena` inside a scope and gives them all back at its end.
class ArenaScope {
 public:
  ArenaScope(Context& context, Arena& arena)
      : context_(context), outer_(context.arena()), arena_(arena), mark_(arena.mark()) {
    context.set_arena(&arena);
  }
  ~ArenaScope() {
    arena_.release(mark_);
    context_.set_arena(outer_);
  }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Context& context_;
  Arena* outer_;
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace imu2music::inline v0
