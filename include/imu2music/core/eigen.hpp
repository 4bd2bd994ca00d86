// A Tensor's elements as an Eigen::Map, without a copy, for users of Eigen. The only header that includes
// Eigen.
//
// The map is row-major and unaligned-safe; it is valid as long as the tensor's memory is.
#pragma once

#include <Eigen/Core>

#include "imu2music/core/error.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

template <class T>
using RowMajorMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace detail {
template <class T>
std::int64_t rows_of(const Tensor<T>& tensor) {
  if (tensor.rank() == 0) throw ShapeError("[as_matrix] a tensor without axes is no matrix");
  return tensor.dim(-1) == 0 ? 0 : tensor.size() / tensor.dim(-1);
}
}  // namespace detail

// [..., N] as a matrix of all leading axes by N.
template <class T>
Eigen::Map<RowMajorMatrix<T>> as_matrix(Tensor<T>& tensor) {
  return {tensor.data(), detail::rows_of(tensor), tensor.dim(-1)};
}
template <class T>
Eigen::Map<const RowMajorMatrix<T>> as_matrix(const Tensor<T>& tensor) {
  return {tensor.data(), detail::rows_of(tensor), tensor.dim(-1)};
}

}  // namespace imu2music::inline v0
