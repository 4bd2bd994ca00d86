#include "imu2music/ops/conv1d_backward.hpp"

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
  for (const Conv1dOptions& options :
       {Conv1dOptions{}, Conv1dOptions{.stride = 2, .dilation = 1, .pad_left = 2},
        Conv1dOptions{.stride = 1, .dilation = 3, .pad_left = 6},
        Conv1dOptions{.stride = 3, .dilation = 2, .pad_left = 1},
        Conv1dOptions{.stride = 1, .dilation = 1, .pad_left = 7}}) {
    const Shape input{2, 11, 3}, weight{4, 3, 3};
    const Tensor<double> x = random_tensor<double>(input, 1), w = random_tensor<double>(weight, 2);
    const Tensor<double> y = conv1d(context, x, w, Tensor<double>(), options);
    const Tensor<double> dy = random_tensor<double>(y.shape(), 3);
    const Tensor<double> dx = conv1d_backward_input(context, dy, w, 11, options);
    Tensor<double> dw(weight), db(Shape{4});
    dw[5] = 10, db[1] = 20;  // added to
    conv1d_backward_weight(context, dy, x, options, dw, db);
    for (std::int64_t n = 0; n < x.size(); ++n) {
      Tensor<double> unit(input);
      unit[n] = 1;
      CHECK(dx[n] ==
            doctest::Approx(dot(dy, conv1d(context, unit, w, Tensor<double>(), options))).epsilon(1e-12));
    }
    for (std::int64_t n = 0; n < w.size(); ++n) {
      Tensor<double> unit(weight);
      unit[n] = 1;
      const double expected =
          dot(dy, conv1d(context, x, unit, Tensor<double>(), options)) + (n == 5 ? 10 : 0);
      CHECK(dw[n] == doctest::Approx(expected).epsilon(1e-12));
    }
    for (std::int64_t o = 0; o < 4; ++o) {
      Tensor<double> unit(Shape{4});
      unit[o] = 1;
      const double expected =
          dot(dy, conv1d(context, x, Tensor<double>(weight), unit, options)) + (o == 1 ? 20 : 0);
      CHECK(db[o] == doctest::Approx(expected).epsilon(1e-12));
    }
    Tensor<double> none, only(Shape{4});
    conv1d_backward_weight(context, dy, x, options, none, only);
    CHECK(only[0] == doctest::Approx(db[0]));
    Tensor<double> weight_only(weight);
    conv1d_backward_weight(context, dy, x, options, weight_only, none);
    CHECK(weight_only[0] == dw[0]);
  }
}

TEST_CASE("bits do not depend on the number of threads") {
  for (const Conv1dOptions& options : {Conv1dOptions{.stride = 2, .dilation = 2, .pad_left = 8},
                                       Conv1dOptions{.stride = 1, .dilation = 2, .pad_left = 8}}) {
    const Tensor<float> x = random_tensor<float>({5, 301, 16}, 1), w = random_tensor<float>({24, 16, 5}, 2);
    Context one(1);
    const Tensor<float> dy = random_tensor<float>(conv1d(one, x, w, Tensor<float>(), options).shape(), 3);
    const Tensor<float> dx = conv1d_backward_input(one, dy, w, 301, options);
    Tensor<float> dw({24, 16, 5}), db(Shape{24});
    conv1d_backward_weight(one, dy, x, options, dw, db);
    for (const int threads : {2, 5}) {
      Context many(threads);
      const Tensor<float> dx2 = conv1d_backward_input(many, dy, w, 301, options);
      Tensor<float> dw2({24, 16, 5}), db2(Shape{24});
      conv1d_backward_weight(many, dy, x, options, dw2, db2);
      CHECK(std::equal(dx.values().begin(), dx.values().end(), dx2.values().begin()));
      CHECK(std::equal(dw.values().begin(), dw.values().end(), dw2.values().begin()));
      CHECK(std::equal(db.values().begin(), db.values().end(), db2.values().begin()));
    }
  }
}

TEST_CASE("shapes that do not fit are refused") {
  Context context;
  const Tensor<float> dy({2, 9, 4}), w({4, 3, 3}), x({2, 11, 3});
  Tensor<float> dw({4, 3, 3}), wrong({4, 2, 3}), db(Shape{3}), none;
  CHECK_NOTHROW(conv1d_backward_input(context, dy, w, 11, {}));
  CHECK_THROWS_AS(conv1d_backward_input(context, dy, w, 12, {}), ShapeError);
  CHECK_THROWS_AS(conv1d_backward_input(context, dy, x, 11, {}), ShapeError);
  CHECK_THROWS_AS(conv1d_backward_weight(context, dy, x, {}, wrong, none), ShapeError);
  CHECK_THROWS_AS(conv1d_backward_weight(context, dy, x, {}, dw, db), ShapeError);
}
