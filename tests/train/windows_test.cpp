#include "imu2music/train/windows.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "imu2music/core/random.hpp"
#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;

namespace {

ModelConfig config(int vocabulary, int max_sequence = 256) {
  ModelConfig result;
  result.vocabulary = vocabulary;
  result.max_sequence = max_sequence;
  return result;
}

std::vector<int> between(const std::vector<int>& tokens) {  // without SOS, and EOS where there is one
  std::vector<int> ids(tokens.begin() + 1, tokens.end());
  if (!ids.empty() && ids.back() == EventVocabulary1::eos) ids.pop_back();
  return ids;
}

Pair long_pair(std::uint64_t seed, double seconds) {
  Pair pair;
  pair.info.id = "long";
  pair.info.seconds = seconds;
  pair.info.has_motion = false;
  Philox random(seed);
  for (double time = 1.3; time < seconds - 1; time += 0.05 + 0.4 * random.uniform())
    pair.notes.push_back({50 + static_cast<int>(random.below(30)), 70, time, time + 0.1 + random.uniform()});
  return pair;
}

template <class Call>
void check_refused(const Call& call, const std::string& part) {
  try {
    call();
    FAIL("was not refused: " << part);
  } catch (const InputError& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("even windows lie within their pairs") {
  std::vector<PairInfo> pairs(3);
  pairs[0].seconds = 22.5;
  pairs[1].seconds = 6;
  pairs[2].seconds = 12.3;
  const std::vector<Window> windows = even_windows(pairs, 6, 3);
  REQUIRE(windows.size() == 6 + 1 + 3);
  CHECK(windows[5] == Window{0, 15, 6});
  CHECK(windows[6] == Window{1, 0, 6});
  CHECK(windows[9] == Window{2, 6, 6});
  for (const Window& window : windows) CHECK(window.start_s + window.seconds <= pairs[window.pair].seconds);
  CHECK(even_windows(pairs, std::vector<std::size_t>{2, 1}, 6, 6).size() == 3);
  // A sum of hops that rounds is no window less: 0.1 · 60 = 6.000000000000001.
  CHECK(even_windows(std::vector<PairInfo>(1, pairs[1]), 0.1, 0.1).size() == 60);
}

TEST_CASE("a pair shorter than a window is named") {
  std::vector<PairInfo> pairs(2);
  pairs[0].seconds = 10;
  pairs[1].seconds = 4;
  pairs[1].id = "short one";
  check_refused([&] { even_windows(pairs, 6, 6); }, "pair short one: lasts 4 s, less than a window of 6 s");
  const std::vector<std::size_t> kept = long_enough(pairs, std::vector<std::size_t>{0, 1}, 6);
  CHECK(kept == std::vector<std::size_t>{0});
  CHECK(even_windows(pairs, kept, 6, 6).size() == 1);
  check_refused([&] { even_windows(pairs, 0, 6); }, "should be above 0");
  check_refused([&] { even_windows(pairs, 6, -1); }, "should be above 0");
  check_refused([&] { even_windows(pairs, 1, 1e-9); }, "longer hop");
}

TEST_CASE("a window's notes: begun in it, begun before, sounding on") {
  Pair pair;
  pair.info.id = "p";
  pair.info.seconds = 20;
  pair.notes = {{60, 64, 1, 2},   {61, 64, 3, 5},  {62, 64, 4, 4.5}, {63, 64, 5, 7},
                {64, 64, 7.5, 9}, {65, 64, 8, 12}, {66, 64, 10, 11}};
  const std::vector<Note> notes = notes_in(pair, 4, 4);
  CHECK(notes == std::vector<Note>{{61, 64, -1, 1}, {62, 64, 0, 0.5}, {63, 64, 1, 3}, {64, 64, 3.5, 5}});
  CHECK(notes_in(pair, 12, 8).empty());
  check_refused([&] { notes_in(pair, 17, 4); }, "pair p: a window from 17 s to 21 s");
  check_refused([&] { notes_in(pair, -1, 4); }, "pair p");
  // On its own axis the window's notes make the ids that the piece makes, up to what comes later.
  std::vector<int> own = EventVocabulary2::encode_window(notes, 0, 4);
  CHECK(own == EventVocabulary2::encode_window(pair.notes, 4, 8));
}

TEST_CASE("vocabulary 2: windows that follow one another give the music back, silence and all") {
  const Pair pair = long_pair(4, 60);
  const ModelConfig model = config(332, 1024);
  std::vector<std::vector<int>> windows;
  for (int w = 0; w < 10; ++w) {
    const std::vector<int> tokens = window_tokens(model, pair, 6.0 * w, 6);
    CHECK(tokens.front() == EventVocabulary2::sos);
    CHECK((tokens.back() == EventVocabulary2::cut) == (w < 9));
    CHECK((tokens.back() == EventVocabulary2::eos) == (w == 9));
    windows.push_back(between(tokens));
  }
  const std::vector<Note> wanted = EventVocabulary2::playable(pair.notes),
                          got = EventVocabulary2::decode_windows(windows, 6);
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].pitch == wanted[i].pitch);
    CHECK(std::abs(got[i].start - wanted[i].start) < 0.0155);
    CHECK(std::abs(got[i].end - wanted[i].end) < 0.0155);
  }
  CHECK(got.front().start > 1.2);  // the silence before it was not dropped
}

TEST_CASE("vocabulary 2: music that goes on after the pair gets no false end") {
  Pair pair = long_pair(4, 12);
  CHECK(window_tokens(config(332, 1024), pair, 6, 6).back() == EventVocabulary2::eos);
  pair.info.goes_on = true;
  CHECK(window_tokens(config(332, 1024), pair, 6, 6).back() == EventVocabulary2::cut);
  CHECK(window_tokens(config(332, 1024), pair, 0, 6).back() == EventVocabulary2::cut);
}

TEST_CASE("sequences that are too long: vocabulary 1 ends in EOS, vocabulary 2 in what stood there") {
  const Pair pair = long_pair(4, 60);
  for (const int vocabulary : {243, 332}) {
    const std::vector<int> whole = window_tokens(config(vocabulary, 4096), pair, 6, 20),
                           cut = window_tokens(config(vocabulary, 32), pair, 6, 20);
    REQUIRE(whole.size() > 40);
    REQUIRE(cut.size() == 33);
    CHECK(std::equal(cut.begin(), cut.end() - 1, whole.begin()));
    CHECK(cut.back() == (vocabulary == 243 ? EventVocabulary1::eos : whole[32]));
  }
}

TEST_CASE("vocabulary 1: notes that begin in the window, ended at its end") {
  Pair pair;
  pair.info.id = "p";
  pair.info.seconds = 20;
  pair.notes = {{61, 64, 3, 5}, {62, 64, 4.5, 5.5}, {63, 64, 7, 12}, {64, 64, 8, 9}};
  const std::vector<int> tokens = window_tokens(config(243), pair, 4, 4);
  CHECK(tokens.front() == EventVocabulary1::sos);
  CHECK(tokens.back() == EventVocabulary1::eos);
  CHECK(between(tokens) == EventVocabulary1::encode(std::vector<Note>{{62, 64, 4.5, 5.5}, {63, 64, 7, 8}}));
  CHECK(window_tokens(config(243), pair, 13, 4) ==
        std::vector<int>{EventVocabulary1::sos, EventVocabulary1::eos});
}

TEST_CASE("inputs and targets are one list, a token apart") {
  const Pair pair = long_pair(2, 30);
  for (const int vocabulary : {243, 332}) {
    const std::vector<int> tokens = window_tokens(config(vocabulary, 64), pair, 3, 6);
    const ModelTokens both = inputs_and_targets(tokens, 64, EventVocabulary1::pad);
    REQUIRE(both.x.size() == 64);
    REQUIRE(both.y.size() == 64);
    CHECK(both.x[0] == EventVocabulary1::sos);
    for (std::size_t i = 0; i + 1 < 64; ++i)
      if (i + 1 < tokens.size() - 1) CHECK(both.x[i + 1] == both.y[i]);
    if (tokens.size() < 64) CHECK(both.y.back() == EventVocabulary1::pad);
  }
  CHECK_THROWS_AS(inputs_and_targets(std::vector<int>(66, 1), 64, 242), ShapeError);
  CHECK_THROWS_AS(inputs_and_targets(std::vector<int>(1, 1), 64, 242), ShapeError);
}

TEST_CASE("other vocabularies are refused") {
  Pair pair = long_pair(1, 10);
  check_refused([&] { window_tokens(config(390), pair, 0, 6); },
                "pair long: its notes cannot be written in a "
                "vocabulary of 390 ids");
  check_refused([&] { window_tokens(config(243), pair, 5, 6); }, "pair long: a window from 5 s");
}
