// Tensors between the CPU and a context's device, and the plain copies and zeros that both have.
//
//   on_device_of(context, x)   x where the context computes: itself, or a copy
//   on_host(context, x)        x on the CPU: itself, or a copy, which waits for all work before it
//   copy(context, from, to)    of one size, on the context's device
//   zero(context, x)
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

namespace detail {
template <class T>
std::size_t bytes_in(const Tensor<T>& x) {
  return static_cast<std::size_t>(x.size()) * sizeof(T);
}
}  // namespace detail

template <class T>
Tensor<T> on_device_of(Context& context, const Tensor<T>& x) {
  if (!x.defined() || x.device() == context.device()) return x;
  if (!context.on_device())
    throw DeviceError("[transfer] a tensor on a device was given to an operation on the cpu");
  Tensor<T> there = context.allocate<T>(x.shape());
  kernels::cuda_runtime->upload(context.kernel(), there.data(), x.data(), detail::bytes_in(x));
  return there;
}

template <class T>
Tensor<T> on_host(Context& context, const Tensor<T>& x) {
  if (!x.defined() || x.device() == Device::cpu()) return x;
  if (!context.on_device())
    throw DeviceError("[transfer] a tensor on a device was given to an operation on the cpu");
  Tensor<T> here = Tensor<T>::uninitialised(x.shape());
  kernels::cuda_runtime->download(context.kernel(), here.data(), x.data(), detail::bytes_in(x));
  return here;
}

// `from` and `to` may overlap on the CPU only if they begin at one place. Throws ShapeError.
template <class T>
void copy(Context& context, const Tensor<T>& from, Tensor<T>& to) {
  if (from.size() != to.size())
    throw ShapeError("[copy] " + from.shape().to_string() + " does not fill " + to.shape().to_string());
  if (context.on_device())
    kernels::cuda_runtime->copy(context.kernel(), to.data(), from.data(), detail::bytes_in(from));
  else
    std::copy_n(from.data(), from.size(), to.data());
}

template <class T>
void zero(Context& context, Tensor<T>& x) {
  if (context.on_device())
    kernels::cuda_runtime->zero(context.kernel(), x.data(), detail::bytes_in(x));
  else
    std::fill_n(x.data(), x.size(), T(0));
}

// Waits for all work asked of the context's device.
inline void synchronise(const Context& context) {
  if (context.on_device()) kernels::cuda_runtime->synchronise(context.kernel());
}

}  // namespace imu2music::inline v0
