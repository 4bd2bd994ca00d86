#include "imu2music/models/musical_time.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "imu2music/nn/embedding.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

ModelConfig own_config() {
  return parse_model_config(
      R"({"encoder":"temporal","vocabulary":332,"d_model":24,"heads":3,"width":16,"max_sequence":20,)"
      R"("time_positions":true})",
      "c");
}

}  // namespace

TEST_CASE(
    "a token at the time of a memory token carries its position, bit for bit; in between, between them") {
  Context one(1), three(3);
  for (const std::int64_t D : {1, 2, 7, 24}) {
    const std::vector<double> times = {0, 0.08, 1.0, 5.92, 0.1, 59.3};
    const auto view = Tensor<double>::from(std::span(times), {2, 3});
    const Tensor<float> rows = time_position_rows<float>(one, view, position_rates(D), D);
    const Tensor<float> shared = time_position_rows<float>(three, view, position_rates(D), D);
    REQUIRE(rows.shape() == Shape{6, D});
    std::vector<float> expected(static_cast<std::size_t>(D));
    for (const std::int64_t n : {0, 1, 3}) {
      const double s = 12.5 * times[static_cast<std::size_t>(n)];
      const TemporalEncoder<float> encoder(D, {.C = 6, .W = 4, .kernel = 2, .blocks = 1});
      encoder.write_position(std::llround(s), expected.data());
      if (s == std::round(s))
        for (std::int64_t c = 0; c < D; ++c) CHECK(rows[n * D + c] == expected[static_cast<std::size_t>(c)]);
    }
    for (std::int64_t n = 0; n < 6; ++n)
      for (std::int64_t c = 0; c < D; ++c) {
        const double angle = 12.5 * times[static_cast<std::size_t>(n)] *
                             std::pow(10000.0, -static_cast<double>(c / 2 * 2) / static_cast<double>(D));
        CHECK(static_cast<double>(rows[n * D + c]) ==
              doctest::Approx(c % 2 == 0 ? std::sin(angle) : std::cos(angle)).epsilon(1e-6));
        CHECK(rows[n * D + c] == shared[n * D + c]);
      }
  }
}

TEST_CASE("with time positions a token's place is its time, not its index") {
  const auto model = init_model<float>(own_config(), 5);
  Context context;
  const auto input = test::random_tensor<float>({1, 6, 100}, 1);
  const auto memory = model.encode_memory(context, model.encode_motion(context, input));
  // The same note after the same silence, written in one shift or after another id that takes no time.
  const int shift = EventVocabulary2::first_time_shift + 20, note = EventVocabulary2::note_on(60);
  const auto state_after = [&](std::vector<std::int64_t> ids) {
    auto state = model.make_state(context, memory.dim(1));
    DecodingState<float>* const stepping = &state;
    model.remember(context, memory, state);
    for (std::size_t n = 0; n < ids.size(); ++n)
      model.step(context, std::span(&ids[n], 1), std::span(&stepping, 1));
    return state.time_s;
  };
  CHECK(state_after({EventVocabulary2::sos, note}) == 0);
  CHECK(state_after({EventVocabulary2::sos, shift, note}) == EventVocabulary2::shift_s(shift));
  CHECK(state_after({EventVocabulary2::sos, shift, note, shift}) == 2 * EventVocabulary2::shift_s(shift));

  // Another time alters what follows; by the index alone it would not.
  ModelConfig by_index = model.config;
  by_index.time_positions = false;
  Model<float> plain = model;
  plain.config = by_index;
  const auto last_logits = [&](const Model<float>& which, int first_shift) {
    const std::vector<std::int64_t> ids = {EventVocabulary2::sos, first_shift, note};
    const auto y = which.logits(context, memory, Tensor<std::int64_t>::from(std::span(ids), {1, 3}));
    return std::vector<float>(y.data() + 2 * 332, y.data() + 3 * 332);
  };
  CHECK(last_logits(model, shift) != last_logits(plain, shift));
}

TEST_CASE("a token sees the memory between its lookback and its lookahead, and at least the nearest") {
  ModelConfig config = own_config();
  constexpr std::int64_t S = 75;  // 6 s
  const auto range = [&](double time_s, int lookback_ms, int lookahead_ms) {
    config.lookback_ms = lookback_ms;
    config.lookahead_ms = lookahead_ms;
    const KeyRange seen = memory_range(time_s, S, config);
    return std::pair<int, int>(seen.first, seen.last - 1);
  };
  CHECK(range(3, 60000, 60000) == std::pair(0, 74));
  CHECK(range(0, 60000, 0) == std::pair(0, 0));
  CHECK(range(0.079, 60000, 0) == std::pair(0, 0));
  CHECK(range(0.08, 60000, 0) == std::pair(0, 1));
  CHECK(range(1, 500, 250) == std::pair(7, 15));  // 0.56 s to 1.2 s
  CHECK(range(1, 0, 60000) == std::pair(13, 74));
  CHECK(range(5.9, 60000, 1000) == std::pair(0, 74));
  // Between two tokens, with no room on either side: the nearer one.
  CHECK(range(1, 0, 0) == std::pair(13, 13));
  CHECK(range(1.03, 10, 10) == std::pair(13, 13));
  CHECK(range(0.99, 10, 10) == std::pair(12, 12));
  // Beyond the motion's end: the last.
  CHECK(range(9, 1000, 1000) == std::pair(74, 74));
  CHECK(range(700, 0, 0) == std::pair(74, 74));
  // In every case s is inside if and only if it lies between the bounds.
  for (double t = 0; t < 7; t += 0.0377)
    for (const int lookback : {0, 79, 80, 1000, 60000})
      for (const int lookahead : {0, 40, 300, 60000}) {
        const auto [first, last] = range(t, lookback, lookahead);
        REQUIRE(first >= 0);
        REQUIRE(first <= last);
        REQUIRE(last < S);
        int inside = 0, counted = 0;
        for (int s = 0; s < S; ++s) {
          const bool after = lookback == 60000 || s >= 12.5 * (t - 0.001 * lookback) - 1e-9,
                     before = lookahead == 60000 || s <= 12.5 * (t + 0.001 * lookahead) + 1e-9;
          inside += after && before;
          counted += after && before && s >= first && s <= last;
        }
        CHECK(counted == inside);
        CHECK(last - first + 1 == std::max(inside, 1));
      }
}

TEST_CASE("ranges of whole sequences follow their times, and are absent where nothing is bounded") {
  ModelConfig config = own_config();
  Context context;
  const int shift = EventVocabulary2::first_time_shift + 31;
  const std::vector<std::int64_t> ids = {EventVocabulary2::sos, shift, 3, shift,
                                         EventVocabulary2::sos, 3,     3, shift};
  const auto view = Tensor<std::int64_t>::from(std::span(ids), {2, 4});
  CHECK_FALSE(memory_ranges(context, view, 75, config).first.defined());
  config.lookahead_ms = 100;
  const KeyRanges ranges = memory_ranges(context, view, 75, config);
  REQUIRE(ranges.first.shape() == Shape{2, 4});
  REQUIRE(ranges.last.shape() == Shape{2, 4});
  const Tensor<double> times = token_times(view);
  for (std::int64_t n = 0; n < 8; ++n) {
    CHECK(ranges.first[n] == 0);
    CHECK(ranges.last[n] == memory_range(times[n], 75, config).last);
  }
  CHECK(ranges.last[0] == 2);
  CHECK(ranges.last[3] == 31);
}

TEST_CASE("motion that a token may not see does not touch its logits, what it may see does") {
  ModelConfig config = own_config();
  config.lookback_ms = 400;
  config.lookahead_ms = 160;
  config.encoder_layers = 0;
  const auto model = init_model<float>(config, 2);
  Context context;
  const int shift = EventVocabulary2::first_time_shift + 31;  // 1.171 s
  const std::vector<std::int64_t> ids = {EventVocabulary2::sos, shift, 60, shift, 62};
  const auto view = Tensor<std::int64_t>::from(std::span(ids), {1, 5});
  const auto memory = test::random_tensor<float>({1, 75, 24}, 3);
  const auto clean = model.logits(context, memory, view);
  const Tensor<double> times = token_times(view);
  for (std::int64_t s = 0; s < 75; ++s) {
    Tensor<float> other({1, 75, 24});
    std::copy_n(memory.data(), memory.size(), other.data());
    for (std::int64_t c = 0; c < 24; ++c) other[s * 24 + c] += 1;
    const auto changed = model.logits(context, other, view);
    for (std::int64_t n = 0; n < 5; ++n) {
      // A token hears what its predecessors saw too: the first that sees s decides.
      bool seen = false;
      for (std::int64_t m = 0; m <= n; ++m) {
        const KeyRange range = memory_range(times[m], 75, config);
        seen = seen || (s >= range.first && s < range.last);
      }
      const bool same =
          std::equal(clean.data() + n * 332, clean.data() + (n + 1) * 332, changed.data() + n * 332);
      CHECK(same == !seen);
    }
  }
}
