#include "imu2music/ops/embedding_backward.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "imu2music/ops/embedding.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("embedding_backward is the gradient of the table, tokens met twice included") {
  Context context(2);
  const std::vector<std::int64_t> tokens = {4, 0, 4, 2, 2, 2};
  const auto ids = Tensor<std::int64_t>::from(tokens, {2, 3});
  auto table = test::random_tensor<double>({6, 5}, 1);
  const auto dy = test::random_tensor<double>({2, 3, 5}, 2);
  Tensor<double> dtable({6, 5});
  for (double& value : dtable.values()) value = 3;
  embedding_backward(context, dy, ids, dtable);
  const auto loss = [&] { return test::inner_product(embedding(context, ids, table, Tensor<double>()), dy); };
  test::check_gradient(table, dtable, loss, 1e-7, 3);
}

TEST_CASE("embedding_backward gives the same bits for any number of threads") {
  Context one(1), three(3);
  Tensor<std::int64_t> ids({4, 500});
  for (std::int64_t n = 0; n < ids.size(); ++n) ids[n] = n * n % 11;
  const auto dy = test::random_tensor<float>({4, 500, 150}, 1);
  Tensor<float> a({11, 150}), b({11, 150});
  embedding_backward(one, dy, ids, a);
  embedding_backward(three, dy, ids, b);
  CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * 11 * 150) == 0);
}

TEST_CASE("embedding_backward refuses ids outside the table and shapes that do not fit") {
  Context context;
  Tensor<std::int64_t> ids({2, 3});
  const Tensor<float> dy({2, 3, 5});
  Tensor<float> dtable({6, 5}), narrow({6, 4});
  embedding_backward(context, dy, ids, dtable);
  CHECK_THROWS_AS(embedding_backward(context, dy, ids, narrow), ShapeError);
  CHECK_THROWS_AS(embedding_backward(context, Tensor<float>({3, 2, 5}), ids, dtable), ShapeError);
  for (std::int64_t outside : {-1, 6}) {
    ids[4] = outside;
    CHECK_THROWS_AS(embedding_backward(context, dy, ids, dtable), ShapeError);
  }
}
