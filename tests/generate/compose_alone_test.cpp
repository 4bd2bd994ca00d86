#include "imu2music/generate/compose_alone.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "imu2music/music/notes.hpp"

using namespace imu2music;

namespace {

Model<float> model_of(int vocabulary, std::int64_t L = 96) {
  return init_model<float>(
      parse_model_config(R"({"model":"music_transformer","d_model":32,"heads":2,"decoder_layers":2,
        "max_sequence":)" + std::to_string(L) +
                             ",\"vocabulary\":" + std::to_string(vocabulary) + "}",
                         "config"),
      3);
}

const std::vector<Note> beginning = {{60, 64, 0, 0.25}, {64, 64, 0.25, 0.5}, {67, 64, 0.5, 1}};

}  // namespace

TEST_CASE("every vocabulary goes on from the notes that it is given, and tells every event") {
  for (const int vocabulary : {243, 332, 390}) {
    INFO(vocabulary);
    const Model<float> model = model_of(vocabulary);
    Session<float> session(model);
    ComposeOptions options;
    options.prime = beginning;
    options.fill_windows = true;
    options.sampler.seed = 5;
    std::vector<int> told;
    std::int64_t primed = 0;
    double last = 0;
    options.on_event = [&](const ComposedEvent& event) {
      told.push_back(event.id);
      primed += event.primed;
      CHECK(event.time_s >= last);
      last = event.time_s;
    };
    const Composition music = compose_alone(session, options);
    REQUIRE(music.windows.size() == 1);
    const ComposedWindow& window = music.windows[0];
    CHECK(window.ids == told);
    CHECK(window.primed_events == primed);
    CHECK(primed >= 6);
    CHECK(window.out_of_tokens);
    CHECK(window.ids.size() == 96);
    REQUIRE(music.notes.size() >= 3);
    CHECK(music.notes[0].pitch == 60);
    CHECK(music.notes[1].pitch == 64);
    CHECK(music.notes[1].start == doctest::Approx(0.25).epsilon(0.05));
    for (const int id : told) CHECK(id != model.pad());
    CHECK(music.duration_s == doctest::Approx(end_of(music.notes)));
    // The same seed, the same music; another, another.
    options.on_event = {};
    CHECK(compose_alone(session, options).notes == music.notes);
    options.sampler.seed = 6;
    CHECK(compose_alone(session, options).notes != music.notes);
  }
}

TEST_CASE("what is drawn is what the model says after all ids before it") {
  const Model<float> model = model_of(390);
  Session<float> session(model);
  ComposeOptions options;
  options.prime = beginning;
  options.sampler.greedy = true;
  options.note_off_needs_note_on = false;
  const std::vector<int> ids = compose_alone(session, options).windows[0].ids;
  REQUIRE(ids.size() > 20);
  Context context;
  Tensor<std::int64_t> tokens({1, static_cast<std::int64_t>(ids.size())});
  for (std::size_t i = 0; i < ids.size(); ++i) tokens[static_cast<std::int64_t>(i)] = ids[i];
  const Tensor<float> logits = model.logits(context, Tensor<float>(), tokens);
  const std::vector<int> prime = PerformanceVocabulary::encode(beginning);
  for (std::size_t i = prime.size(); i < ids.size(); ++i) {
    const float* row = logits.data() + (static_cast<std::int64_t>(i) - 1) * 390;
    int best = 0;
    for (int id = 1; id < 389; ++id)
      if (row[id] > row[best]) best = id;
    CHECK(ids[i] == best);
  }
}

TEST_CASE("a duration ends the music; a beam searches it; max_tokens bounds it") {
  const Model<float> model = model_of(390);
  Session<float> session(model);
  ComposeOptions options;
  options.prime = beginning;
  options.fill_windows = true;
  options.duration_s = 1.5;
  double last = 0;
  options.on_event = [&](const ComposedEvent& event) { last = event.time_s; };
  const Composition music = compose_alone(session, options);
  CHECK(music.duration_s == 1.5);
  CHECK(last == 1.5);
  for (const Note& note : music.notes) CHECK(note.end <= 1.5 + 1e-9);
  options.duration_s = 0;
  options.max_tokens = 40;
  CHECK(compose_alone(session, options).windows[0].ids.size() == 40);
  options.beam = BeamOptions{3, 0.6, 1};
  std::vector<int> told;
  options.on_event = [&](const ComposedEvent& event) { told.push_back(event.id); };
  const Composition best = compose_alone(session, options);
  CHECK(best.windows[0].ids.size() <= 40);
  CHECK(best.windows[0].ids == told);
  CHECK(best.windows[0].log_probability < 0);
  options.beam_rank = 2;
  const Composition second = compose_alone(session, options);
  CHECK(second.windows[0].score <= best.windows[0].score);
}

TEST_CASE("a beginning as long as the music that is asked for leaves nothing to write") {
  for (const int vocabulary : {332, 390}) {
    const Model<float> model = model_of(vocabulary);
    Session<float> session(model);
    ComposeOptions options;
    options.prime = {{60, 64, 0, 1.5}, {62, 64, 1.5, 3}};
    options.duration_s = 1;
    CHECK_THROWS_WITH_AS(
        compose_alone(session, options),
        "the notes to begin with last as long as the music that is asked for, 1 s; ask for more", InputError);
    options.beam = BeamOptions{2, 0.6, 1};
    CHECK_THROWS_AS(compose_alone(session, options), InputError);
    options.duration_s = 4;
    CHECK(compose_alone(session, options).windows[0].ids.size() > 4);
  }
}

TEST_CASE("nothing sounded before the music: it begins with no continued note") {
  const Model<float> model = model_of(332);
  Session<float> session(model);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    ComposeOptions options;
    options.sampler.seed = seed;
    options.max_tokens = 4;
    const Composition music = compose_alone(session, options);
    for (const int id : music.windows[0].ids) CHECK_FALSE(EventVocabulary2::is_continued(id));
  }
}

TEST_CASE("vocabularies with a beginning of their own need no notes; the others say so") {
  ComposeOptions options;
  for (const int vocabulary : {243, 332}) {
    const Model<float> model = model_of(vocabulary);
    Session<float> session(model);
    CHECK(compose_alone(session, options).windows[0].primed_events == 0);
    ComposeOptions low;
    low.prime = {{12, 64, 0, 1}};
    CHECK_THROWS_WITH_AS(
        compose_alone(session, low),
        "the notes to begin with cannot be used: none from 0 s on lies between A0 and C8, pitches 21 to 108",
        InputError);
    low.prime = {{60, 64, -2, -1}};
    CHECK_THROWS_AS(compose_alone(session, low), InputError);
  }
  const Model<float> model = model_of(390, 8);
  Session<float> session(model);
  CHECK_THROWS_WITH_AS(compose_alone(session, options),
                       "weights of 390 ids go on from music that they are given; give notes to begin with",
                       InputError);
  options.prime = beginning;
  CHECK_THROWS_WITH_AS(compose_alone(session, options),
                       "the notes to begin with are 10 ids; fewer than 8 leave room for the music",
                       InputError);
  options.prime_source = "beginning.mid";
  CHECK_THROWS_WITH_AS(
      compose_alone(session, options),
      "beginning.mid: the notes to begin with are 10 ids; fewer than 8 leave room for the music", InputError);
  options.start_s = 1;
  CHECK_THROWS_AS(compose_alone(session, options), InputError);
  const Model<float> other = init_model<float>(
      parse_model_config(R"({"d_model":16,"heads":2,"encoder_layers":1,"decoder_layers":1})", "c"), 1);
  Session<float> motion(other);
  CHECK_THROWS_AS(compose_alone(motion, ComposeOptions()), Error);
}
