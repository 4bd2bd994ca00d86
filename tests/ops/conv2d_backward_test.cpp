#include "imu2music/ops/conv2d_backward.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "random.hpp"

using namespace imu2music;
using test::random_tensor;

namespace {

double dot(const Tensor<double>& a, const Tensor<double>& b) {
  double sum = 0;
  for (std::int64_t n = 0; n < a.size(); ++n) sum += a[n] * b[n];
  return sum;
}

}  // namespace

// The convolution is linear in x and in w, so <dy, conv(x, w)> = <dx, x> = <dw, w>, and for the unit vectors
// e the gradient's elements are <dy, conv(e)>.
TEST_CASE("every element of the gradients is that of the definition") {
  Context context;
  for (const Conv2dOptions& options :
       {Conv2dOptions{}, Conv2dOptions{.stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 2},
        Conv2dOptions{.stride_h = 1, .stride_w = 3, .pad_h = 4, .pad_w = 0},
        Conv2dOptions{.stride_h = 2, .stride_w = 2, .pad_h = 0, .pad_w = 5}}) {
    const Shape input{2, 3, 5, 4}, weight{4, 3, 3, 2};
    const Tensor<double> x = random_tensor<double>(input, 1), w = random_tensor<double>(weight, 2);
    const Tensor<double> y = conv2d(context, x, w, Tensor<double>(), options);
    const Tensor<double> dy = random_tensor<double>(y.shape(), 3);
    const Tensor<double> dx = conv2d_backward_input(context, dy, w, 5, 4, options);
    Tensor<double> dw(weight), db(Shape{4});
    dw[5] = 10, db[1] = 20;  // added to
    conv2d_backward_weight(context, dy, x, options, dw, db);
    for (std::int64_t n = 0; n < x.size(); ++n) {
      Tensor<double> unit(input);
      unit[n] = 1;
      CHECK(dx[n] ==
            doctest::Approx(dot(dy, conv2d(context, unit, w, Tensor<double>(), options))).epsilon(1e-12));
    }
    for (std::int64_t n = 0; n < w.size(); ++n) {
      Tensor<double> unit(weight);
      unit[n] = 1;
      const double expected =
          dot(dy, conv2d(context, x, unit, Tensor<double>(), options)) + (n == 5 ? 10 : 0);
      CHECK(dw[n] == doctest::Approx(expected).epsilon(1e-12));
    }
    for (std::int64_t o = 0; o < 4; ++o) {
      Tensor<double> unit(Shape{4});
      unit[o] = 1;
      const double expected =
          dot(dy, conv2d(context, x, Tensor<double>(weight), unit, options)) + (o == 1 ? 20 : 0);
      CHECK(db[o] == doctest::Approx(expected).epsilon(1e-12));
    }
    Tensor<double> none, only(Shape{4});
    conv2d_backward_weight(context, dy, x, options, none, only);
    CHECK(only[0] == doctest::Approx(db[0]));
    Tensor<double> weight_only(weight);
    conv2d_backward_weight(context, dy, x, options, weight_only, none);
    CHECK(weight_only[0] == dw[0]);
  }
}

TEST_CASE("bits do not depend on the number of threads") {
  const Conv2dOptions options{.stride_h = 1, .stride_w = 2, .pad_h = 1, .pad_w = 0};
  const Tensor<float> x = random_tensor<float>({5, 8, 20, 33}, 1), w = random_tensor<float>({24, 8, 3, 2}, 2);
  Context one(1);
  const Tensor<float> dy = random_tensor<float>(conv2d(one, x, w, Tensor<float>(), options).shape(), 3);
  const Tensor<float> dx = conv2d_backward_input(one, dy, w, 20, 33, options);
  Tensor<float> dw({24, 8, 3, 2}), db(Shape{24});
  conv2d_backward_weight(one, dy, x, options, dw, db);
  for (const int threads : {2, 5}) {
    Context many(threads);
    const Tensor<float> dx2 = conv2d_backward_input(many, dy, w, 20, 33, options);
    Tensor<float> dw2({24, 8, 3, 2}), db2(Shape{24});
    conv2d_backward_weight(many, dy, x, options, dw2, db2);
    CHECK(std::equal(dx.values().begin(), dx.values().end(), dx2.values().begin()));
    CHECK(std::equal(dw.values().begin(), dw.values().end(), dw2.values().begin()));
    CHECK(std::equal(db.values().begin(), db.values().end(), db2.values().begin()));
  }
}

TEST_CASE("shapes that do not fit are refused") {
  Context context;
  const Tensor<float> dy({2, 4, 3, 3}), w({4, 3, 3, 2}), x({2, 3, 5, 4});
  Tensor<float> dw({4, 3, 3, 2}), wrong({4, 2, 3, 2}), db(Shape{3}), none;
  CHECK_NOTHROW(conv2d_backward_input(context, dy, w, 5, 4, {}));
  CHECK_THROWS_AS(conv2d_backward_input(context, dy, w, 6, 4, {}), ShapeError);
  CHECK_THROWS_AS(conv2d_backward_input(context, dy, x, 5, 4, {}), ShapeError);
  CHECK_THROWS_AS(conv2d_backward_weight(context, dy, x, {}, wrong, none), ShapeError);
  CHECK_THROWS_AS(conv2d_backward_weight(context, dy, x, {}, dw, db), ShapeError);
}
