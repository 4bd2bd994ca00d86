// What the host side of the library may ask of a device, and where a device's columns of the tables stand.
//
// Built into a program, kernels/cuda/implement.cu fills these in before main() begins; without it they are
// null and the library says that it was built without CUDA.
//
// A queue is an ordered stream of work with its own pool of memory. All calls but download() and
// synchronise() return at once; what is freed in a queue is given out again in the same queue only, so the
// order of its work keeps every user of a block apart from the next. An upload() waits only where more is on
// its way than the pinned memory that it passes through has room for. Calls that fail throw DeviceFailure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

// A call of the device's libraries failed; the message names the call, its code and the place.
class DeviceFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct DeviceRuntime {
  // Fills in the context's stream and handles. Throws DeviceFailure with one line where there is no usable
  // device.
  void (*open)(Context& context) = nullptr;
  void (*close)(Context& context) = nullptr;
  // Uninitialised device memory, aligned to 256 bytes; release() gives it back to the queue's pool.
  void* (*allocate)(const Context& context, std::size_t bytes) = nullptr;
  void (*release)(const Context& context, void* memory) = nullptr;
  // Bytes that the queue's pool has from the device, in use or not.
  std::size_t (*capacity)(const Context& context) = nullptr;
  // upload() has taken what `host` holds when it returns; download() waits for all work before it.
  void (*upload)(const Context& context, void* device, const void* host, std::size_t bytes) = nullptr;
  void (*download)(const Context& context, void* host, const void* device, std::size_t bytes) = nullptr;
  void (*copy)(const Context& context, void* to, const void* from, std::size_t bytes) = nullptr;
  void (*zero)(const Context& context, void* memory, std::size_t bytes) = nullptr;
  void (*synchronise)(const Context& context) = nullptr;
  // How often the host has waited for the queue's work so far.
  std::int64_t (*waits)(const Context& context) = nullptr;
  // One line: the device's name, its compute capability and memory.
  const char* (*describe)() = nullptr;
};

inline const DeviceRuntime* cuda_runtime = nullptr;

// The CUDA column of an operation's table; null where there is none.
template <class Table>
inline const Table* cuda_column = nullptr;

}  // namespace imu2music::inline v0::kernels
