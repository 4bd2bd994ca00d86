#include "imu2music/models/imu_encoders/temporal_encoder.hpp"

#include <doctest/doctest.h>

#include <type_traits>

#include "random.hpp"

using namespace imu2music;

namespace {

template <class T>
TemporalEncoder<T> random_encoder(const TemporalSizes& sizes, std::int64_t D) {
  TemporalEncoder<T> encoder(D, sizes);
  std::uint64_t stream = 0;
  const auto initialise = [&](const std::string&, Parameter<T>& p) { p.initialize(Philox(5, stream++)); };
  encoder.visit(initialise, "");
  for (std::int64_t c = 0; c < sizes.C; ++c) {
    encoder.mean.value[c] = static_cast<T>(0.1 * static_cast<double>(c));
    encoder.deviation.value[c] = static_cast<T>(1 + 0.3 * static_cast<double>(c));
  }
  return encoder;
}

}  // namespace

TEST_CASE("streaming gives the tokens of the whole recording, bit for bit, at their times") {
  for (const TemporalSizes& sizes : {TemporalSizes{7, 12, 5, 6, 2}, TemporalSizes{3, 9, 3, 1, 4},
                                     TemporalSizes{18, 64, 5, 4, 1}, TemporalSizes{1, 1, 1, 1, 3}}) {
    const auto encoder = random_encoder<float>(sizes, 10);
    const std::int64_t frames = 133;
    const auto motion = test::random_tensor<float>({1, sizes.C, frames}, 9);
    Context context(2);
    const auto whole = encoder.forward(context, motion);
    const std::int64_t factor = encoder.frames_per_token();
    REQUIRE(whole.shape() == Shape{1, (frames + factor - 1) / factor, 10});
    TemporalStream<float> stream(encoder);
    for (int round = 0; round < 2; ++round) {
      std::vector<float> frame(static_cast<std::size_t>(sizes.C));
      for (std::int64_t t = 0; t < frames; ++t) {
        for (std::int64_t c = 0; c < sizes.C; ++c)
          frame[static_cast<std::size_t>(c)] = motion[c * frames + t];
        const auto token = stream.push(frame);
        CHECK(token.empty() == (t % factor != 0));
        if (token.empty()) continue;
        REQUIRE(stream.tokens() == t / factor + 1);
        for (std::size_t d = 0; d < 10; ++d)
          CHECK(token[d] == whole[(t / factor) * 10 + static_cast<std::int64_t>(d)]);
      }
      stream.clear();
    }
    CHECK_THROWS_AS(stream.push(std::vector<float>(static_cast<std::size_t>(sizes.C) + 1)), ShapeError);
  }
}

TEST_CASE("no token looks at a later frame") {
  const auto encoder = random_encoder<double>({4, 8, 3, 4, 2}, 6);
  auto motion = test::random_tensor<double>({1, 4, 60}, 2);
  Context context;
  const auto before = encoder.forward(context, motion);
  for (std::int64_t c = 0; c < 4; ++c)
    for (std::int64_t t = 33; t < 60; ++t) motion[c * 60 + t] += 1;
  const auto after = encoder.forward(context, motion);
  for (std::int64_t s = 0; s < 15; ++s) {
    bool same = true;
    for (std::int64_t d = 0; d < 6; ++d) same = same && before[s * 6 + d] == after[s * 6 + d];
    CHECK(same == (s * 4 < 33));
  }
}

TEST_CASE("float agrees with double, and a channel at its mean counts as zero") {
  const TemporalSizes sizes{5, 16, 5, 6, 2};
  const auto single = random_encoder<float>(sizes, 8);
  const auto twice = random_encoder<double>(sizes, 8);
  Context context;
  Tensor<float> motion({2, 5, 40});
  Tensor<double> motion_d({2, 5, 40});
  const auto random = test::random_tensor<double>({2, 5, 40}, 4);
  for (std::int64_t n = 0; n < motion.size(); ++n) {
    motion[n] = static_cast<float>(random[n]);
    motion_d[n] = motion[n];
  }
  const auto a = single.forward(context, motion);
  const auto b = twice.forward(context, motion_d);
  for (std::int64_t n = 0; n < a.size(); ++n) CHECK(a[n] == doctest::Approx(b[n]).epsilon(1e-4));
  Tensor<double> still({1, 5, 1});
  for (std::int64_t c = 0; c < 5; ++c) still[c] = twice.mean.value[c];
  const auto standard = twice.standardise(context, still);
  for (double value : standard.values()) CHECK(std::abs(value) < 1e-12);
  CHECK_THROWS_AS(single.forward(context, Tensor<float>({1, 4, 40})), ShapeError);
}
