#include "imu2music/ops/dropout.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("dropout keeps an element where the generator's word for it is high enough") {
  Context context;
  for (double p : {0.1, 0.5, 0.999}) {
    const auto x = test::random_tensor<double>({3, 5, 7}, 1);
    const Tensor<double> y = dropout(context, x, p, 0x123456789abcdef0u, 0xfedcba9876543210u);
    CHECK(y.shape() == x.shape());
    Philox random(0x123456789abcdef0u, 0xfedcba9876543210u);
    for (std::int64_t n = 0; n < x.size(); ++n) {
      const bool kept = double(random.uint32()) >= std::floor(p * 0x1p32);
      CHECK(y[n] == (kept ? x[n] * (1 / (1 - p)) : 0.0));
    }
  }
}

TEST_CASE("dropout drops the share asked for, keeps the mean, and differs by seed and stream") {
  Context context;
  Tensor<float> x({100000});
  for (float& value : x.values()) value = 1;
  for (double p : {0.1, 0.3}) {
    const Tensor<float> y = dropout(context, x, p, 5, 6);
    const Tensor<float> other_seed = dropout(context, x, p, 6, 6),
                        other_stream = dropout(context, x, p, 5, 7);
    double sum = 0, dropped = 0, seeds_agree = 0, streams_agree = 0;
    for (std::int64_t n = 0; n < x.size(); ++n) {
      sum += y[n];
      dropped += y[n] == 0;
      seeds_agree += y[n] == other_seed[n];
      streams_agree += y[n] == other_stream[n];
    }
    const double agreeing = p * p + (1 - p) * (1 - p);  // four standard deviations are below 0.0065
    CHECK(std::abs(dropped / 1e5 - p) < 0.0065);
    CHECK(std::abs(sum / 1e5 - 1) < 0.01);
    CHECK(std::abs(seeds_agree / 1e5 - agreeing) < 0.0065);
    CHECK(std::abs(streams_agree / 1e5 - agreeing) < 0.0065);
  }
}

TEST_CASE("dropout gives the same bits for any number of threads, and x itself at rate 0") {
  Context one(1), three(3);
  const auto x = test::random_tensor<float>({100, 1003}, 1);
  const Tensor<float> a = dropout(one, x, 0.2, 5, 6), b = dropout(three, x, 0.2, 5, 6);
  CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * 100300) == 0);
  CHECK(dropout(one, x, 0, 5, 6).data() == x.data());
}

TEST_CASE("dropout refuses rates outside 0..1") {
  Context context;
  const Tensor<float> x({4});
  for (double p : {-0.1, 1.0, 2.0, double(NAN)}) CHECK_THROWS_AS(dropout(context, x, p, 1, 1), Error);
}
