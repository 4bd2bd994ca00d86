#include "imu2music/core/tensor.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "imu2music/core/context.hpp"

using namespace imu2music;

TEST_CASE("a new tensor is zero, aligned to a cache line, and shared by its copies") {
  Tensor<float> a({2, 3});
  CHECK(a.size() == 6);
  for (float x : a.values()) CHECK(x == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  Tensor<float> b = a, c = a.clone();
  a[4] = 7;
  CHECK(b[4] == 7);
  CHECK(c[4] == 0);
}

TEST_CASE("reshape and slice look at the same elements and refuse what does not fit") {
  const std::vector<double> values = {0, 1, 2, 3, 4, 5};
  Tensor<double> a = Tensor<double>::from(values, {3, 2});
  CHECK(a.reshape({2, 3})[5] == 5);
  Tensor<double> row = a.slice(1, 2);
  CHECK(row.shape() == Shape{2, 2});
  CHECK(row[0] == 2);
  CHECK_THROWS_AS(a.reshape({4}), ShapeError);
  CHECK_THROWS_AS(a.slice(2, 2), ShapeError);
  CHECK_THROWS_AS(a.slice(-1, 1), ShapeError);
  CHECK_THROWS_AS(a.slice(std::numeric_limits<std::int64_t>::max(), 1), ShapeError);
  CHECK_THROWS_AS(a.slice(1, std::numeric_limits<std::int64_t>::max()), ShapeError);
  CHECK_FALSE(Tensor<double>().clone().defined());
  CHECK_THROWS_AS(Tensor<double>::from(values, {7}), ShapeError);
}

TEST_CASE("a view keeps its owner alive") {
  auto owner = std::make_shared<std::vector<float>>(4, 1.5f);
  std::weak_ptr<std::vector<float>> watch = owner;
  Tensor<float> view = Tensor<float>::view(owner->data(), {4}, owner);
  owner.reset();
  CHECK_FALSE(watch.expired());
  CHECK(view[3] == 1.5f);
  view = Tensor<float>();
  CHECK(watch.expired());
  CHECK_FALSE(view.defined());
}

TEST_CASE("what is moved from is undefined") {
  Tensor<float> a({2, 3});
  const float* data = std::as_const(a).data();
  Tensor<float> b = std::move(a);
  CHECK(std::as_const(b).data() == data);
  CHECK_FALSE(a.defined());
  CHECK(a.size() == Tensor<float>().size());
  a = std::move(b);
  CHECK_FALSE(b.defined());
  CHECK(std::as_const(a).data() == data);
  CHECK(a.shape() == Shape{2, 3});
  Tensor<float>& same = a;
  a = std::move(same);
  CHECK(std::as_const(a).data() == data);
}

TEST_CASE("an arena gives back what a scope took and does not grow when a task is repeated") {
  Arena arena;
  Context context;
  std::size_t capacity = 0;
  const float* first = nullptr;
  for (int round = 0; round < 3; ++round) {
    ArenaScope scope(context, arena);
    Tensor<float> a = context.allocate<float>({1000});
    Tensor<float> big = context.allocate<float>({100000});
    Tensor<float> b = context.allocate<float>({3});
    CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 64 == 0);
    a[999] = 1, big[99999] = 2, b[2] = 3;
    CHECK(a[999] == 1);
    {
      ArenaScope inner(context, arena);
      context.allocate<float>({5});
    }
    CHECK(context.allocate<float>({5}).data() != b.data());
    if (round == 0)
      first = a.data(), capacity = arena.capacity();
    else
      CHECK(std::as_const(a).data() == first);
    CHECK(arena.capacity() == capacity);
  }
  CHECK(context.arena() == nullptr);
  Tensor<float> own = context.allocate<float>({2});
  CHECK(own.defined());
}

TEST_CASE("a context wants a thread") {
  CHECK_THROWS_AS(Context(0), Error);
  CHECK(Context(3).threads() == 3);
  CHECK_THROWS_AS(Device::cuda(), DeviceError);
}
