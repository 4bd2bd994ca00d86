// The sizes of a tensor's axes, outermost first; at most six, held inline so that a shape never allocates.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "imu2music/core/error.hpp"

namespace imu2music::inline v0 {

class Shape {
 public:
  static constexpr int max_rank = 6;
  static constexpr std::int64_t most_elements = std::int64_t{1} << 58;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) {
    for (std::int64_t size : sizes) push_back(size);
  }

  // Appends an innermost axis. Throws ShapeError on a negative size, a seventh axis, or more than 2^58
  // elements, whose bytes could not be counted.
  void push_back(std::int64_t size) {
    if (rank_ == max_rank) throw ShapeError("a tensor has at most 6 axes");
    if (size < 0) throw ShapeError("an axis cannot have the negative size " + std::to_string(size));
    std::int64_t count = 1;
    for (int i = 0; i < rank_; ++i)
      if (sizes_[i] != 0) count *= sizes_[i];
    if (size != 0 && count > most_elements / size) throw ShapeError("a tensor of more than 2^58 elements");
    sizes_[rank_++] = size;
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return sizes_[axis < 0 ? axis + rank_ : axis]; }
  std::int64_t element_count() const {
    std::int64_t count = 1;
    for (int i = 0; i < rank_; ++i) count *= sizes_[i];
    return count;
  }

  const std::int64_t* begin() const { return sizes_; }
  const std::int64_t* end() const { return sizes_ + rank_; }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.sizes_[i] != b.sizes_[i]) return false;
    return true;
  }

  // "(2, 6, 150)", the form of every error message.
  std::string to_string() const {
    std::string text = "(";
    for (int i = 0; i < rank_; ++i) text += (i == 0 ? "" : ", ") + std::to_string(sizes_[i]);
    return text + ")";
  }

 private:
  std::int64_t sizes_[max_rank] = {};
  int rank_ = 0;
};

}  // namespace imu2music::inline v0
