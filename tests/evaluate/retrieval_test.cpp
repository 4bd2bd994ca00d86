#include "imu2music/evaluate/retrieval.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

using namespace imu2music;

TEST_CASE("ranks by hand") {
  // Row 0: right one first. Row 1: right one third. Row 2: second.
  Tensor<double> scores =
      Tensor<double>::from(std::array{-1.0, -2.0, -3.0, -1.0, -3.0, -2.0, -1.0, -5.0, -4.0}, {3, 3});
  const std::vector<RetrievalRow> rows = retrieval_rows(scores);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].r1 == 1);
  CHECK(rows[1].r1 == 0);
  CHECK(rows[1].r5 == 1);
  CHECK(rows[1].reciprocal_rank == doctest::Approx(1.0 / 3));
  CHECK(rows[2].reciprocal_rank == 0.5);
  const double e = std::exp(1.0);
  CHECK(rows[0].information == doctest::Approx(-1 - std::log((1 / e + 1 / (e * e) + 1 / (e * e * e)) / 3)));
  const RetrievalRow mean = mean_of(rows);
  CHECK(mean.r1 == doctest::Approx(1.0 / 3));
  CHECK(mean.reciprocal_rank == doctest::Approx((1 + 1.0 / 3 + 0.5) / 3));
  const std::array<std::size_t, 3> recording{0, 0, 1};
  CHECK(mean_of(rows, recording, std::array{0.0, 2.0}).reciprocal_rank == 0.5);
}

TEST_CASE("R@5 looks at five") {
  Tensor<double> scores(Shape{8, 8});
  for (std::int64_t i = 0; i < 8; ++i)
    for (std::int64_t j = 0; j < 8; ++j) scores[i * 8 + j] = static_cast<double>(j);
  // The right one of row i has rank 8 - i.
  const auto rows = retrieval_rows(scores);
  CHECK(rows[3].r5 == 1);
  CHECK(rows[2].r5 == 0);
  CHECK(rows[7].r1 == 1);
  CHECK(mean_of(rows).r5 == 5.0 / 8);
}

TEST_CASE("a model that hears nothing gets exactly chance") {
  Tensor<double> scores(Shape{7, 7});
  for (std::int64_t i = 0; i < 49; ++i) scores[i] = -100.0 - static_cast<double>(i / 7);
  const RetrievalRow mean = mean_of(retrieval_rows(scores)), chance = retrieval_chance(7);
  CHECK(mean.r1 == doctest::Approx(1.0 / 7));
  CHECK(mean.r5 == doctest::Approx(5.0 / 7));
  CHECK(mean.reciprocal_rank == doctest::Approx(chance.reciprocal_rank));
  CHECK(mean.information == doctest::Approx(0));
  CHECK(chance.r1 == 1.0 / 7);
  CHECK(retrieval_chance(2).r5 == 1);
}

TEST_CASE("a model that is sure gets ln K nats, without overflow") {
  Tensor<double> scores(Shape{4, 4});
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 4; ++j) scores[i * 4 + j] = i == j ? -900 : -9000;
  const RetrievalRow mean = mean_of(retrieval_rows(scores));
  CHECK(mean.r1 == 1);
  CHECK(mean.information == doctest::Approx(std::log(4.0)));
}

TEST_CASE("scores must be square") {
  CHECK_THROWS_AS(retrieval_rows(Tensor<double>(Shape{2, 3})), ShapeError);
  CHECK_THROWS_AS(retrieval_rows(Tensor<double>()), ShapeError);
  CHECK(mean_of({}).r1 == 0);
}
