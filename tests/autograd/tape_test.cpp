#include "imu2music/autograd/tape.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "imu2music/autograd/add.hpp"
#include "imu2music/autograd/concatenate.hpp"
#include "imu2music/autograd/grad_check.hpp"
#include "imu2music/autograd/multiply.hpp"
#include "imu2music/autograd/permute.hpp"
#include "random.hpp"

using namespace imu2music;
using V = Variable<double>;
using test::random_tensor;

TEST_CASE("a value used twice gets both gradients, in place of a first and of a later one") {
  const auto twice = [](Context& context, const std::vector<V>& x) {
    const V sum = add(context, x[0], x[1]);
    return add(context, add(context, sum, x[0]), multiply(context, sum, random_tensor<double>({2, 3}, 9)));
  };
  CHECK(gradient_error({random_tensor<double>({2, 3}, 1), random_tensor<double>({2, 3}, 2)}, twice) < 1e-8);
}

TEST_CASE("views share their node: slices and reshapes of a parameter and of a result") {
  const auto views = [](Context& context, const std::vector<V>& x) {
    const V doubled = multiply(context, x[0], random_tensor<double>({4, 3}, 5));
    const V top = doubled.slice(0, 2).reshape({3, 2}), bottom = x[0].slice(2, 2).reshape({3, 2});
    return add(context, add(context, top, bottom), doubled.slice(1, 2).reshape({3, 2}));
  };
  CHECK(gradient_error({random_tensor<double>({4, 3}, 1)}, views) < 1e-8);
}

TEST_CASE("permute and concatenate") {
  const auto turned = [](Context& context, const std::vector<V>& x) {
    const std::vector<V> parts = {permute(context, x[0], {2, 0, 1}), x[1], x[1]};
    return permute(context, concatenate(context, std::span<const V>(parts), -1), {1, 2, 0});
  };
  CHECK(gradient_error({random_tensor<double>({2, 3, 4}, 1), random_tensor<double>({4, 2, 5}, 2)}, turned) <
        1e-8);
}

TEST_CASE("constants get no gradient and record nothing") {
  Context context;
  Tape<double> tape(context);
  const V a(random_tensor<double>({3}, 1)), b(random_tensor<double>({3}, 2));
  const V sum = add(context, a, b);
  CHECK(sum.is_constant());
  CHECK(tape.recorded() == 0);
  tape.backward(sum, Tensor<double>(Shape{3}));
}

TEST_CASE("parameters are found by address, parts of them too, and others are constants") {
  Context context;
  Tape<double> tape(context);
  Tensor<double> first = random_tensor<double>({4, 2}, 1), second = random_tensor<double>({3}, 2),
                 other = random_tensor<double>({3}, 3);
  Tensor<double> first_gradient({4, 2}), second_gradient(Shape{3});
  tape.watch(second, second_gradient);
  tape.watch(first, first_gradient);
  CHECK(tape.parameter(other).is_constant());
  CHECK_FALSE(tape.parameter(first).is_constant());
  tape.backward(tape.parameter(first.slice(1, 2)),
                Tensor<double>::from(std::vector<double>{1, 2, 3, 4}, {2, 2}));
  CHECK(std::vector<double>(first_gradient.values().begin(), first_gradient.values().end()) ==
        std::vector<double>{0, 0, 1, 2, 3, 4, 0, 0});
  CHECK(second_gradient[0] == 0);
}

TEST_CASE("gradients add up over backward passes") {
  Context context;
  Tape<double> tape(context);
  Tensor<double> x = random_tensor<double>({3}, 1), gradient(Shape{3});
  tape.watch(x, gradient);
  const Tensor<double> ones = Tensor<double>::from(std::vector<double>{1, 1, 1}, {3});
  for (int pass = 1; pass <= 3; ++pass) {
    tape.backward(add(context, tape.parameter(x), tape.parameter(x)), ones);
    CHECK(gradient[0] == 2 * pass);
    CHECK(tape.recorded() == 0);
  }
}

TEST_CASE("what a backward pass or clear() has forgotten is an error to use, and leaves no trace") {
  Context context;
  Tape<double> tape(context);
  const Tensor<double> value = random_tensor<double>({2, 2}, 1);
  Tensor<double> gradient({2, 2}), ones({2, 2});
  for (double& one : ones.values()) one = 1;
  tape.watch(value, gradient);
  const V x = tape.parameter(value), y = add(context, x, x);
  tape.backward(y, ones);
  const V again = add(context, x, x);  // parameters stay, and take the forgotten node's place
  CHECK_THROWS_AS(tape.backward(y, ones), Error);
  CHECK_THROWS_AS(add(context, x, y), Error);
  CHECK_THROWS_AS(add(context, y.reshape({4}).slice(0, 2), x.reshape({4}).slice(0, 2)), Error);
  CHECK(tape.recorded() == 1);
  tape.backward(again, ones);
  for (const double g : gradient.values()) CHECK(g == 4);
  const V cleared = add(context, x, x);
  tape.clear();
  CHECK_THROWS_AS(tape.backward(cleared, ones), Error);
  for (const double g : gradient.values()) CHECK(g == 4);
}

TEST_CASE("a gradient of another shape is refused, and a pass that throws leaves a tape to go on with") {
  Context context;
  Tape<double> tape(context);
  Tensor<double> p = random_tensor<double>({2}, 1), gradient(Shape{2});
  tape.watch(p, gradient);
  const V x = tape.parameter(p);
  CHECK_THROWS_AS(tape.backward(x, Tensor<double>(Shape{1})), ShapeError);
  const V y = add(context, x, x);
  CHECK_THROWS_AS(tape.backward(y, Tensor<double>(Shape{3})), ShapeError);
  CHECK(tape.recorded() == 1);  // nothing was begun
  const V z = tape.record(y.value().clone(), {&y},
                          [](Tape<double>&, const Tensor<double>&) { throw Error("on its way"); });
  const Tensor<double> ones = Tensor<double>::from(std::vector<double>{1, 1}, {2});
  CHECK_THROWS_AS(tape.backward(z, ones), Error);
  CHECK(tape.recorded() == 0);
  CHECK_THROWS_AS(tape.backward(y, ones), Error);
  tape.backward(add(context, x, x), ones);
  for (const double g : gradient.values()) CHECK(g == 2);
}

TEST_CASE("concatenate refuses every part that is over, and has a gradient of nothing") {
  Context context;
  Tape<double> tape(context);
  Tensor<double> p = random_tensor<double>({2}, 1), gradient(Shape{2});
  Tensor<double> none({0, 3}), none_gradient({0, 3});
  tape.watch(p, gradient);
  tape.watch(none, none_gradient);
  const V x = tape.parameter(p);
  const V old = add(context, x, x);
  tape.clear();
  const V fresh = add(context, x, x);
  for (const auto& parts : {std::vector<V>{old, fresh}, std::vector<V>{fresh, old}})
    CHECK_THROWS_AS(concatenate(context, std::span<const V>(parts), 0), Error);
  const std::vector<V> empty = {tape.parameter(none), V(Tensor<double>({0, 3}))};
  const V nothing = concatenate(context, std::span<const V>(empty), 0);
  tape.backward(nothing, Tensor<double>({0, 3}));
}

TEST_CASE("a tape within a tape refuses what the other one recorded, parameters too") {
  Context context;
  Tape<double> outer(context);
  Tensor<double> p = random_tensor<double>({2}, 1), gradient(Shape{2});
  outer.watch(p, gradient);
  const V x = outer.parameter(p), y = add(context, x, x);
  {
    Tape<double> inner(context);
    Tensor<double> q = random_tensor<double>({2}, 2), inner_gradient(Shape{2});
    inner.watch(q, inner_gradient);
    const V z = inner.parameter(q);
    CHECK_THROWS_AS(add(context, y, z), Error);
    CHECK_THROWS_AS(add(context, x, z), Error);
    CHECK_THROWS_AS(inner.backward(y, y.value()), Error);
  }
  outer.backward(y, Tensor<double>::from(std::vector<double>{1, 1}, {2}));
  for (const double g : gradient.values()) CHECK(g == 2);
}

TEST_CASE("the backward pass lets go of what it is done with") {
  Context context;
  Tape<double> tape(context);
  Tensor<double> x = random_tensor<double>({3}, 1), gradient(Shape{3});
  tape.watch(x, gradient);
  auto saved = std::make_shared<int>(0);
  std::vector<long> owners;
  V y = tape.parameter(x);
  for (int n = 0; n < 3; ++n) {
    const V before = y;
    y = tape.record(before.value().clone(), {&before},
                    [before, saved, &owners](Tape<double>& t, const Tensor<double>& dy) {
                      owners.push_back(saved.use_count());
                      t.accumulate(before, dy);
                    });
  }
  CHECK(saved.use_count() == 4);
  const V last = y;
  y = V();
  tape.backward(last, Tensor<double>::from(std::vector<double>{1, 1, 1}, {3}));
  CHECK(owners == std::vector<long>{4, 3, 2});
  CHECK(saved.use_count() == 1);
  CHECK(gradient[2] == 1);
}

TEST_CASE("running statistics follow the batch's with the variance of a sample") {
  Context context;
  Tape<double> tape(context);
  Tensor<double> mean = Tensor<double>::from(std::vector<double>{1, 2}, {2});
  Tensor<double> variance = Tensor<double>::from(std::vector<double>{3, 4}, {2});
  int counter = 0;
  tape.note_statistics({mean, variance, Tensor<double>::from(std::vector<double>{11, 12}, {2}),
                        Tensor<double>::from(std::vector<double>{6, 8}, {2}), 4, &counter});
  CHECK(mean[0] == 1);
  const void* counted = nullptr;
  tape.update_statistics([&](const void* which) { counted = which; });
  CHECK(counted == &counter);
  CHECK(mean[0] == doctest::Approx(2.0));
  CHECK(mean[1] == doctest::Approx(3.0));
  CHECK(variance[0] == doctest::Approx(0.9 * 3 + 0.1 * 8));
  CHECK(variance[1] == doctest::Approx(0.9 * 4 + 0.1 * 32.0 / 3));
}

TEST_CASE("without a tape nothing can be recorded") {
  Context context;
  CHECK_THROWS_AS(Tape<double>::of(context), Error);
}
