#include "imu2music/core/shape.hpp"

#include <doctest/doctest.h>

using imu2music::Shape;
using imu2music::ShapeError;

TEST_CASE("a shape knows its axes, its element count and its text") {
  Shape shape{2, 6, 150};
  CHECK(shape.rank() == 3);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 150);
  CHECK(shape.element_count() == 1800);
  CHECK(shape.to_string() == "(2, 6, 150)");
  CHECK(shape == Shape{2, 6, 150});
  CHECK_FALSE(shape == Shape{2, 6});
  CHECK_FALSE(shape == Shape{2, 6, 151});
}

TEST_CASE("a scalar has one element, an empty axis none") {
  CHECK(Shape{}.element_count() == 1);
  CHECK(Shape{}.to_string() == "()");
  CHECK(Shape{3, 0, 5}.element_count() == 0);
}

TEST_CASE("impossible shapes are refused") {
  CHECK_THROWS_AS((Shape{-1}), ShapeError);
  CHECK_THROWS_AS((Shape{1, 2, 3, 4, 5, 6, 7}), ShapeError);
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), ShapeError);
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 31, std::int64_t{1} << 31}), ShapeError);  // 2^65 bytes of double
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 61}), ShapeError);
  CHECK_THROWS_AS((Shape{0, std::int64_t{1} << 40, std::int64_t{1} << 40}), ShapeError);
}
