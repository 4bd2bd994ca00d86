// A dense row-major array of numbers: a template on the scalar; rank, sizes and device are values.
//
// A Tensor is a handle: copies share the elements, clone() does not. It owns its memory together with other
// handles, or views memory that somebody else keeps: an arena's, a mapped file's, the user's own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "imu2music/core/buffer.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/core/shape.hpp"

namespace imu2music::inline v0 {

template <class T>
class Tensor {
 public:
  using value_type = T;

  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  // What is moved from is undefined: its memory may be gone.
  Tensor(Tensor&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        shape_(std::exchange(other.shape_, {})),
        device_(other.device_),
        owner_(std::move(other.owner_)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    data_ = std::exchange(other.data_, nullptr);
    shape_ = std::exchange(other.shape_, {});
    device_ = other.device_;
    owner_ = std::exchange(other.owner_, nullptr);
    return *this;
  }

  // Owned, zeroed.
  explicit Tensor(const Shape& shape) : Tensor(uninitialised(shape)) { std::fill_n(data_, size(), T(0)); }

  static Tensor uninitialised(const Shape& shape) {
    std::shared_ptr<std::byte> buffer =
        allocate_buffer(static_cast<std::size_t>(shape.element_count()) * sizeof(T));
    T* data = reinterpret_cast<T*>(buffer.get());
    return Tensor(data, shape, std::move(buffer), Device::cpu());
  }

  // Elements that `owner` keeps alive or, without one, that the caller does. They may lie unaligned to
  // vectors but not to T. Elements of a read-only mapping must not be written.
  static Tensor view(T* data, const Shape& shape, std::shared_ptr<const void> owner = nullptr,
                     Device device = Device::cpu()) {
    return Tensor(data, shape, std::move(owner), device);
  }

  static Tensor from(std::span<const T> values, const Shape& shape) {
    if (static_cast<std::int64_t>(values.size()) != shape.element_count())
      throw ShapeError("[tensor] " + std::to_string(values.size()) + " values do not fill the shape " +
                       shape.to_string());
    Tensor tensor = uninitialised(shape);
    std::copy(values.begin(), values.end(), tensor.data_);
    return tensor;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t dim(int axis) const { return shape_[axis]; }  // negative: from the end
  std::int64_t size() const { return data_ == nullptr ? 0 : shape_.element_count(); }
  bool defined() const { return data_ != nullptr; }
  Device device() const { return device_; }

  // Of a tensor on the CPU. Throws DeviceError for another; core/transfer.hpp brings it here.
  std::span<T> values() {
    require_host();
    return {data_, static_cast<std::size_t>(size())};
  }
  std::span<const T> values() const {
    require_host();
    return {data_, static_cast<std::size_t>(size())};
  }
  T& operator[](std::int64_t i) { return data_[i]; }
  const T& operator[](std::int64_t i) const { return data_[i]; }

  // The same elements under another shape of the same count.
  Tensor reshape(const Shape& shape) const {
    if (shape.element_count() != size())
      throw ShapeError("[reshape] " + shape_.to_string() + " cannot become " + shape.to_string());
    return Tensor(data_, shape, owner_, device_);
  }

  // Elements first..first + count of the outermost axis, shared.
  Tensor slice(std::int64_t first, std::int64_t count) const {
    if (rank() == 0 || first < 0 || count < 0 || first > dim(0) || count > dim(0) - first)
      throw ShapeError("[slice] " + std::to_string(first) + " + " + std::to_string(count) + " leaves " +
                       shape_.to_string());
    Shape shape{count};
    std::int64_t inner = 1;
    for (int axis = 1; axis < rank(); ++axis) {
      shape.push_back(dim(axis));
      inner *= dim(axis);
    }
    return Tensor(data_ + first * inner, shape, owner_, device_);
  }

  // Elements of its own; undefined of an undefined one.
  Tensor clone() const { return defined() ? from(values(), shape_) : Tensor(); }

 private:
  Tensor(T* data, const Shape& shape, std::shared_ptr<const void> owner, Device device)
      : data_(data), shape_(shape), device_(device), owner_(std::move(owner)) {}

  void require_host() const {
    if (device_ != Device::cpu())
      throw DeviceError("[tensor] elements of a tensor on the device " + std::string(device_.name()) +
                        " were asked for on the cpu");
  }

  T* data_ = nullptr;
  Shape shape_;
  Device device_ = Device::cpu();
  std::shared_ptr<const void> owner_;
};

}  // namespace imu2music::inline v0
