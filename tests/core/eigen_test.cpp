#include "imu2music/core/eigen.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace imu2music;

TEST_CASE("a tensor and its Eigen map share their elements") {
  Tensor<float> tensor({2, 3, 4});
  auto matrix = as_matrix(tensor);
  CHECK(matrix.rows() == 6);
  CHECK(matrix.cols() == 4);
  matrix(5, 3) = 2.5f;
  CHECK(tensor[23] == 2.5f);
  const Tensor<float> constant = tensor;
  CHECK(as_matrix(constant).sum() == 2.5f);
  Tensor<float> empty({3, 0}), scalar{Shape{}};
  CHECK(as_matrix(std::as_const(empty)).rows() == 0);
  CHECK_THROWS_AS(as_matrix(scalar), ShapeError);
}
