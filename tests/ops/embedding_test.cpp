#include "imu2music/ops/embedding.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("embedding adds the row of the token and the row of its position") {
  Context context;
  const auto table = test::random_tensor<double>({10, 6}, 1),
             positions = test::random_tensor<double>({8, 6}, 2);
  const std::vector<std::int64_t> values = {3, 9, 0, 3, 5, 5};
  const auto ids = Tensor<std::int64_t>::from(values, {2, 3});
  const Tensor<double> y = embedding(context, ids, table, positions, 4);
  for (std::int64_t b = 0; b < 2; ++b)
    for (std::int64_t t = 0; t < 3; ++t)
      for (std::int64_t d = 0; d < 6; ++d)
        CHECK(y[(b * 3 + t) * 6 + d] == table[ids[b * 3 + t] * 6 + d] + positions[(4 + t) * 6 + d]);
  const Tensor<double> bare = embedding(context, ids, table, Tensor<double>());
  CHECK(bare[6] == table[54]);
}

TEST_CASE("embedding refuses tokens outside the vocabulary and positions that run out") {
  Context context;
  const Tensor<double> table({10, 6}), positions({8, 6});
  for (std::int64_t id : {-1, 10}) {
    const auto ids = Tensor<std::int64_t>::from(std::span<const std::int64_t>(&id, 1), {1, 1});
    CHECK_THROWS_AS(embedding(context, ids, table, positions), ShapeError);
  }
  const Tensor<std::int64_t> ids({1, 5});
  CHECK_NOTHROW(embedding(context, ids, table, positions, 3));
  CHECK_THROWS_AS(embedding(context, ids, table, positions, 4), ShapeError);
  CHECK_THROWS_AS(embedding(context, ids, table, positions, INT64_MAX), ShapeError);
  CHECK_THROWS_AS(embedding(context, ids, table, Tensor<double>({8, 5})), ShapeError);
}
