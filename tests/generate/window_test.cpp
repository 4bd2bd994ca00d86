#include "imu2music/generate/window.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

Model<float> small_model(int vocabulary) {
  ModelConfig config;
  config.d_model = 24;
  config.heads = 2;
  config.feed_forward = 32;
  config.max_sequence = 40;
  config.vocabulary = vocabulary;
  return init_model<float>(config, 7);
}

}  // namespace

TEST_CASE("a window is over at its end in time, at EOS and at CUT") {
  WindowState<> one(1.0, {});
  CHECK_FALSE(one.ended());
  one.push(EventVocabulary1::first_time_shift + 25);  // 0.51 s
  CHECK_FALSE(one.ended());
  one.push(EventVocabulary1::first_time_shift + 25);
  CHECK(one.ended());
  one.start(1.0);
  CHECK_FALSE(one.ended());
  one.push(EventVocabulary1::eos);
  CHECK(one.ended());

  using V2 = EventVocabulary2;
  WindowState<V2> two(2.0, {.may_begin_continued = false});
  CHECK(two.allowed()[V2::cut] != 0);
  CHECK(two.allowed()[V2::continued(60)] == 0);
  two.push(V2::cut);
  CHECK(two.ended());
  CHECK(two.decoder().time_s() == 2);
  two.start(2.0, std::vector<Note>{{60, 64, -1, 0}});
  CHECK_FALSE(two.ended());
  CHECK(two.allowed()[V2::continued(60)] != 0);
  CHECK(two.allowed()[V2::continued(61)] == 0);
  two.push(V2::continued(60));
  const Note* closed = two.push(V2::note_off(60));
  REQUIRE(closed != nullptr);
  CHECK(*closed == Note{60, 64, -1, 0});
}

TEST_CASE("what is drawn follows what is forced, in either vocabulary, and every id is reported once") {
  const auto input = test::random_tensor<float>({1, 2, 3, 150}, 1);
  const auto check = [&]<class Vocabulary>(Vocabulary) {
    const auto model = small_model(Vocabulary::size);
    Session<float> session(model);
    Sampler<float> sampler(Vocabulary::size, {.seed = 1});
    WindowState<Vocabulary> state(6.0, {.may_end = false});
    const std::vector<int> prime = {Vocabulary::velocity_id(90), Vocabulary::note_on(60)};
    session.start_from_motion(input);
    std::vector<int> reported;
    const ComposedWindow window = decode_window(session, sampler, 30, std::span<const int>(prime), state,
                                                [&](int id, const Note*) { reported.push_back(id); });
    CHECK(window.ids == reported);
    CHECK(window.primed_events == 2);
    CHECK(std::equal(prime.begin(), prime.end(), window.ids.begin()));
    CHECK(window.ids.size() <= 30);
    CHECK(window.out_of_tokens == !state.ended());
    CHECK(state.decoder().notes()[0].velocity >= 88);
  };
  check(EventVocabulary1());
  check(EventVocabulary2());
}

TEST_CASE("ranks of a search come in order of their scores, and the last stands for those beyond") {
  const auto model = small_model(EventVocabulary2::size);
  Session<float> session(model);
  SessionBeam<float> beam(session, 4);
  std::vector<ComposedWindow> found;
  for (std::int64_t rank = 1; rank <= 4; ++rank) {
    session.start_from_motion(test::random_tensor<float>({1, 2, 3, 150}, 1));
    WindowState<EventVocabulary2> state(6.0, {});
    found.push_back(search_window(beam, BeamOptions{.width = 4}, rank, 8, std::span<const int>(), state));
  }
  for (std::size_t n = 1; n < 4; ++n) {
    CHECK(found[n].score <= found[n - 1].score);
    CHECK(found[n].ids != found[n - 1].ids);
  }
}
