// Where and how an operation runs: the device, the number of threads, and the memory its result comes from.
//
// With an arena every result is a view into it, valid until the scope around the call ends; without one every
// result owns its memory. A Context belongs to one thread at a time; models are shared, contexts are not.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <kernel_context.hpp>
#include "imu2music/core/buffer.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/shape.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

class Context {
 public:
  // threads: at most so many at once; every result is the same for any number.
  explicit Context(int threads = 1, Device device = Device::cpu()) : device_(device) {
    if (threads < 1)
      throw Error("[context] the number of threads must be 1 or more, not " + std::to_string(threads));
    kernel_.threads = threads;
    kernel_.backend = device.backend();
  }

  Device device() const { return device_; }
  int threads() const { return kernel_.threads; }
  const kernels::Context& kernel() const { return kernel_; }
  Arena* arena() const { return arena_; }
  void set_arena(Arena* arena) { arena_ = arena; }
  // Blocks that results are made of again and again, where there is no arena; shared, for results may outlive
  // the context.
  void set_pool(std::shared_ptr<BufferPool> pool) { pool_ = std::move(pool); }
  // What records operations for a backward pass (autograd/tape.hpp: Tape<T>), or null.
  void* tape() const { return tape_; }
  void set_tape(void* tape) { tape_ = tape; }

  // An uninitialised tensor for a result.
  template <class T>
  Tensor<T> allocate(const Shape& shape) {
    auto bytes = static_cast<std::size_t>(shape.element_count()) * sizeof(T);
    if (arena_ != nullptr) return Tensor<T>::view(static_cast<T*>(arena_->take(bytes)), shape);
    if (pool_ == nullptr) return Tensor<T>::uninitialised(shape);
    std::shared_ptr<std::byte> block = BufferPool::take(pool_, bytes);
    T* data = reinterpret_cast<T*>(block.get());
    return Tensor<T>::view(data, shape, std::move(block));
  }

  // The table of an operation for this context's device.
  template <class Table>
  const Table& table() const {
    return kernels::cpu_table<Table>();
  }

 private:
  Device device_;
  kernels::Context kernel_;
  Arena* arena_ = nullptr;
  std::shared_ptr<BufferPool> pool_;
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
