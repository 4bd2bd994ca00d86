// Where tensors live and operations run.
#pragma once

#include <cpu/dispatch.hpp>
#include <device_runtime.hpp>
#include <kernel_context.hpp>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"

namespace imu2music::inline v0 {

using kernels::Isa;

class Device {
 public:
  static Device cpu() { return Device(kernels::Backend::cpu); }
  // The first NVIDIA GPU. Throws DeviceError where the program was built without CUDA (imu2music::cuda was
  // not linked); whether there is a GPU shows when the first Context is made for it.
  static Device cuda() {
    if (kernels::cuda_runtime == nullptr)
      throw DeviceError("this program was built without CUDA; use the device cpu");
    return Device(kernels::Backend::cuda);
  }

  kernels::Backend backend() const { return backend_; }
  const char* name() const { return backend_ == kernels::Backend::cpu ? "cpu" : "cuda"; }
  friend bool operator==(Device, Device) = default;

 private:
  explicit Device(kernels::Backend backend) : backend_(backend) {}
  kernels::Backend backend_;
};

// The instruction set of the CPU columns in use. Throws DeviceError where IMU2MUSIC_FORCE_ISA cannot be
// followed.
inline Isa active_isa() {
  try {
    return kernels::active_isa();
  } catch (const kernels::IsaError& error) {
    throw DeviceError(error.what());
  }
}

}  // namespace imu2music::inline v0
