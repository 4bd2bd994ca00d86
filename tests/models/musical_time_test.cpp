#include "imu2music/models/musical_time.hpp"

#include <doctest/doctest.h>

#include <cmath>
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
    const Tensor<float> rows = time_position_rows<float>(one, view, D);
    const Tensor<float> shared = time_position_rows<float>(three, view, D);
    REQUIRE(rows.shape() == Shape{6, D});
    std::vector<float> expected(static_cast<std::size_t>(D));
    for (const std::int64_t n : {0, 1, 3}) {
      const double s = 12.5 * times[static_cast<std::size_t>(n)];
      TemporalEncoder<float>::write_position(std::llround(s), D, expected.data());
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
    auto state = model.make_state(memory.dim(1));
    model.remember(context, memory, state);
    for (std::size_t n = 0; n < ids.size(); ++n)
      model.step(context, ids[n], static_cast<std::int64_t>(n), state);
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
