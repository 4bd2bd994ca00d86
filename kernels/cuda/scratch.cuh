// Memory that a launcher wants for its own kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime.cuh"

namespace imu2music::inline v0::kernels::cuda {

// Memory of the queue for as long as a launcher asks for work; the stream's order keeps it apart from its next user.
class Scratch {
 public:
  Scratch(const Context& context, std::int64_t bytes)
      : queue_(queue_of(context)), memory_(queue_.allocate(static_cast<std::size_t>(bytes))) {}
  ~Scratch() { queue_.release(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  Queue& queue_;
  void* memory_;
};

}  // namespace imu2music::inline v0::kernels::cuda
