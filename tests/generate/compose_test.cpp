#include "imu2music/generate/compose.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/models/weights.hpp"

using namespace imu2music;

namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.d_model = 32;
  config.heads = 2;
  config.feed_forward = 32;
  config.max_sequence = 64;
  return config;
}

Recording wave(double seconds, double rate_hz) {
  Recording recording;
  recording.source = "wave";
  const auto n = static_cast<std::int64_t>(std::llround(seconds * rate_hz));
  for (const char* name : {"myo1", "myo2"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = rate_hz;
    for (Quantity quantity : {Quantity::rotation, Quantity::angular_velocity, Quantity::acceleration}) {
      Channel channel(quantity, n);
      for (int axis = 0; axis < 3; ++axis)
        for (std::int64_t i = 0; i < n; ++i)
          channel.axis(axis)[static_cast<std::size_t>(i)] =
              static_cast<float>(std::sin(static_cast<double>(i) / rate_hz * (axis + 1)));
      sensor.channels.push_back(channel);
    }
    recording.sensors.push_back(sensor);
  }
  return recording;
}

bool same(const std::vector<Note>& a, const std::vector<Note>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].pitch != b[i].pitch || a[i].velocity != b[i].velocity || a[i].start != b[i].start ||
        a[i].end != b[i].end)
      return false;
  return true;
}

}  // namespace

TEST_CASE("windows follow one another on one timeline and the last one is completed by holding") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.fill_windows = true;
  std::int64_t calls = 0;
  options.on_window = [&](std::int64_t done, std::int64_t of) {
    CHECK(done == ++calls);
    CHECK(of == 3);
  };
  const Composition music = compose(session, wave(14, 25), options);
  CHECK(calls == 3);
  REQUIRE(music.windows.size() == 3);
  CHECK(music.windows[2].start_s == 12);
  CHECK(music.duration_s == 14);
  CHECK(music.held_frames == 100);
  CHECK(music.notes.size() > 3);
  double previous = 0;
  std::int64_t notes = 0;
  for (const ComposedWindow& window : music.windows) {
    notes += window.notes;
    for (int id : window.ids) CHECK(id < EventVocabulary1::sos);  // no SOS, PAD; EOS masked
  }
  CHECK(notes == static_cast<std::int64_t>(music.notes.size()));
  for (const Note& note : music.notes) {
    CHECK(note.start >= previous);
    CHECK(note.start < 14);
    CHECK(note.end <= 14);
    CHECK(note.end > note.start);
    CHECK(note.end <= (std::floor(note.start / 6) + 1) * 6);
    previous = note.start;
  }
}

TEST_CASE("threads do not change the music, the seed does") {
  const auto model = init_model<float>(small_config(), 1);
  ComposeOptions options;
  options.sampler.seed = 3;
  Session<float> one(model, 1), three(model, 3);
  const auto a = compose(one, wave(12, 25), options), b = compose(three, wave(12, 25), options);
  CHECK(same(a.notes, b.notes));
  const auto again = compose(one, wave(12, 25), options);
  CHECK(same(a.notes, again.notes));
  options.sampler.seed = 4;
  CHECK(compose(one, wave(12, 25), options).windows[0].ids != a.windows[0].ids);
}

TEST_CASE("start, duration and max_tokens are kept; other rates are resampled") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.start_s = 3;
  options.duration_s = 7;
  options.max_tokens = 5;
  for (double rate : {25.0, 50.0, 100.0}) {
    const Composition music = compose(session, wave(14, rate), options);
    CHECK(music.start_s == 3);
    CHECK(music.duration_s == 7);
    REQUIRE(music.windows.size() == 2);
    CHECK(music.windows[1].start_s == 9);
    for (const ComposedWindow& window : music.windows) CHECK(window.ids.size() <= 5);
  }
  options.max_tokens = -5;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
}

TEST_CASE("a part of a recording makes the music of one that ends there") {
  ModelConfig armbands = small_config();
  ModelConfig temporal = parse_model_config(
      R"({"encoder":"temporal","sensors":2,"rate_hz":25,"d_model":32,"heads":2,"width":16,"blocks":3,)"
      R"("max_sequence":64,"window_ms":6000})",
      "c");
  for (ModelConfig* config : {&armbands, &temporal})
    for (const int vocabulary : {EventVocabulary1::size, EventVocabulary2::size}) {
      INFO(config->encoder, ", vocabulary ", vocabulary);
      config->vocabulary = vocabulary;
      const auto model = init_model<float>(*config, 1);
      Session<float> session(model);
      ComposeOptions options;
      options.fill_windows = true;
      const Composition whole = compose(session, wave(8, 25), options);
      options.duration_s = 8;
      const Composition part = compose(session, wave(14, 25), options);
      CHECK(same(part.notes, whole.notes));
      REQUIRE(part.windows.size() == 2);
      for (std::size_t w = 0; w < 2; ++w) CHECK(part.windows[w].ids == whole.windows[w].ids);
      CHECK(part.held_frames == (config == &armbands ? 100 : 0));
      CHECK(whole.held_frames == part.held_frames);
      options.start_s = 5;
      options.duration_s = 2;
      CHECK(compose(session, wave(14, 25), options).held_frames == (config == &armbands ? 100 : 0));
    }
}

TEST_CASE("what the motion was held through is told with the music") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  Recording motion = wave(6, 25);
  CHECK(compose(session, motion, {}).motion_notes.empty());
  for (std::size_t i = 50; i < 100; ++i)
    motion.sensors[0].channels[1].axis(2)[i] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::string> told = compose(session, motion, {}).motion_notes;
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("myo1: its angular velocity was held through 1 gap") != std::string::npos);
}

TEST_CASE("what lies outside the recording, and sensors that are missing, are refused") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.start_s = 14;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
  options.start_s = -1;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
  options.start_s = 0;
  options.duration_s = -2;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
  options.duration_s = 0;
  Recording one_armband = wave(14, 25);
  one_armband.sensors.pop_back();
  try {
    compose(session, one_armband, options);
    FAIL("one armband was enough");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find("myo2") != std::string::npos);
  }
}

TEST_CASE("a batch of windows gives the music of one by one, drawn, greedy or searched, on any threads") {
  const auto model = init_model<float>(small_config(), 1);
  const Recording motion = wave(40, 25);  // seven windows
  ComposeOptions drawn, greedy, searched;
  drawn.sampler = {.temperature = 1.2, .seed = 5, .top_k = 60, .top_p = 0.95, .repetition_penalty = 1.2};
  drawn.prime = {{60, 64, 0, 0.5}};
  greedy.sampler.greedy = true;
  greedy.fill_windows = true;
  searched.beam = BeamOptions{.width = 3};
  searched.max_tokens = 12;
  for (ComposeOptions* options : {&drawn, &greedy, &searched}) {
    std::vector<std::vector<int>> events;
    const auto run = [&](std::int64_t batch, int threads) {
      Session<float> session(model, threads);
      options->batch = batch;
      std::vector<int> told;
      options->on_event = [&](const ComposedEvent& event) {
        told.push_back(static_cast<int>(event.window));
        told.push_back(event.id);
        told.push_back(event.primed);
        told.push_back(event.closed ? event.closed->pitch : -1);
        told.push_back(static_cast<int>(event.time_s * 1e6));
      };
      const Composition music = compose(session, motion, *options);
      events.push_back(told);
      return music;
    };
    const Composition one = run(1, 1);
    REQUIRE(one.windows.size() == 7);
    for (const auto& [batch, threads] : {std::pair{2, 1}, {2, 2}, {3, 2}, {7, 3}, {100, 4}, {1, 3}}) {
      INFO("batch ", batch, " threads ", threads);
      const Composition other = run(batch, threads);
      CHECK(same(one.notes, other.notes));
      REQUIRE(other.windows.size() == 7);
      for (std::size_t w = 0; w < 7; ++w) {
        CHECK(other.windows[w].ids == one.windows[w].ids);
        CHECK(other.windows[w].score == one.windows[w].score);
      }
      CHECK(events.back() == events.front());
    }
  }
}

TEST_CASE("every event is told once, in order, and notes close as the decoder says") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.fill_windows = true;
  options.sampler.seed = 2;
  std::vector<std::vector<int>> ids(2);
  std::vector<Note> closed;
  double previous = 0;  // a window's last time_shift may lead beyond its end, the events' times do not
  options.on_event = [&](const ComposedEvent& event) {
    ids.at(static_cast<std::size_t>(event.window)).push_back(event.id);
    CHECK(event.time_s >= previous);
    CHECK(!event.primed);
    CHECK(event.time_s <= 6 * (static_cast<double>(event.window) + 1));
    previous = event.time_s;
    if (event.closed) {
      CHECK(EventVocabulary1::is_note_off(event.id));
      closed.push_back(*event.closed);
    }
  };
  const Composition music = compose(session, wave(12, 25), options);
  CHECK(ids[0] == music.windows[0].ids);
  CHECK(ids[1] == music.windows[1].ids);
  std::vector<Note> expected;
  for (int w = 0; w < 2; ++w) {
    EventDecoder1 decoder;
    for (int id : music.windows[static_cast<std::size_t>(w)].ids)
      if (const Note* note = decoder.push(id))
        expected.push_back({note->pitch, note->velocity, note->start + 6 * w, note->end + 6 * w});
  }
  CHECK(!closed.empty());
  CHECK(same(closed, expected));
}

TEST_CASE("no note_off without a note, no PAD, no SOS; the rule of note_offs can be lifted") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  int stray[2] = {0, 0};
  for (bool rule : {true, false})
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      ComposeOptions options;
      options.sampler.seed = seed;
      options.note_off_needs_note_on = rule;
      for (const ComposedWindow& window : compose(session, wave(18, 25), options).windows) {
        EventDecoder1 decoder;
        for (int id : window.ids) {
          CHECK(id != EventVocabulary1::pad);
          CHECK(id != EventVocabulary1::sos);
          stray[rule] += EventVocabulary1::is_note_off(id) && !decoder.is_open(EventVocabulary1::pitch(id));
          decoder.push(id);
        }
      }
    }
  CHECK(stray[true] == 0);
  CHECK(stray[false] > 20);
}

TEST_CASE("a prime opens the first window and is heard in what follows") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.fill_windows = true;
  const Composition plain = compose(session, wave(12, 25), options);
  options.prime = {{60, 64, 3, 3.5}, {64, 90, 3.5, 4}};
  const auto prime = EventVocabulary1::encode(options.prime);
  std::int64_t told = 0;
  options.on_event = [&](const ComposedEvent& event) { told += event.primed; };
  const Composition primed = compose(session, wave(12, 25), options);
  REQUIRE(primed.windows[0].ids.size() > prime.size());
  CHECK(std::equal(prime.begin(), prime.end(), primed.windows[0].ids.begin()));
  CHECK(primed.windows[0].primed_events == static_cast<std::int64_t>(prime.size()));
  CHECK(told == primed.windows[0].primed_events);
  CHECK(primed.windows[1].primed_events == 0);
  CHECK(primed.windows[1].ids == plain.windows[1].ids);
  CHECK(primed.notes[0].pitch == 60);
  CHECK(primed.notes[0].start == 0);  // vocabulary 1 drops the silence before it
  // What comes next has been chosen with the prime before it.
  CHECK(!std::equal(plain.windows[0].ids.begin(), plain.windows[0].ids.begin() + 8,
                    primed.windows[0].ids.begin() + static_cast<std::ptrdiff_t>(prime.size())));
  options.beam = BeamOptions{.width = 2};
  const Composition searched = compose(session, wave(12, 25), options);
  CHECK(std::equal(prime.begin(), prime.end(), searched.windows[0].ids.begin()));
  CHECK(searched.windows[0].log_probability < 0);
  // More than fits: as much as fits.
  for (bool beam : {true, false}) {
    if (!beam) options.beam.reset();
    options.prime.clear();
    for (int n = 0; n < 100; ++n) options.prime.push_back({40 + n % 30, 64, n * 0.1, n * 0.1 + 0.1});
    const Composition full = compose(session, wave(12, 25), options);
    CHECK(full.windows[0].primed_events == 64);
    CHECK(full.windows[0].ids.size() == 64);
    CHECK(full.windows[0].out_of_tokens);
    options.prime = {{60, 64, 0, 20}};
    const Composition over = compose(session, wave(12, 25), options);
    CHECK(over.windows[0].primed_events < 20);
    CHECK(over.windows[0].ids.size() == static_cast<std::size_t>(over.windows[0].primed_events));
    CHECK(!over.windows[0].out_of_tokens);
    CHECK(over.notes[0].end == 1);  // its note_off lies beyond the window: a note never closed
  }
}

TEST_CASE("a beam one wide composes what greedy does, a wider one scores no worse window by window") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions greedy, beam;
  greedy.sampler.greedy = true;
  greedy.max_tokens = beam.max_tokens = 20;
  beam.beam = BeamOptions{.width = 1};
  const auto a = compose(session, wave(12, 25), greedy), b = compose(session, wave(12, 25), beam);
  CHECK(same(a.notes, b.notes));
  for (std::size_t w = 0; w < 2; ++w) CHECK(a.windows[w].ids == b.windows[w].ids);
  beam.beam->width = 8;
  const auto c = compose(session, wave(12, 25), beam);
  for (std::size_t w = 0; w < 2; ++w) CHECK(c.windows[w].score >= b.windows[w].score);
}

TEST_CASE("decoding options out of range are refused") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  const auto refused = [&](const auto& change) {
    ComposeOptions options;
    change(options);
    CHECK_THROWS_AS(compose(session, wave(6, 25), options), InputError);
  };
  refused([](ComposeOptions& o) { o.batch = 0; });
  refused([](ComposeOptions& o) { o.batch = 1025; });
  refused([](ComposeOptions& o) { o.beam = BeamOptions{.width = 0}; });
  refused([](ComposeOptions& o) { o.sampler.top_p = 0; });
  refused([](ComposeOptions& o) { o.prime = {{110, 64, 0, 1}}; });
  refused([](ComposeOptions& o) { o.prime = {{60, 64, 0, std::nan("")}}; });
}

TEST_CASE("a recording that begins before 0 is heard from its beginning") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  const Composition expected = compose(session, wave(10, 25), {});
  for (const double start_s : {-7.0, -20.0}) {
    Recording early = wave(10, 25);
    for (SensorTrack& sensor : early.sensors) sensor.clock.start_s = start_s;
    const Composition music = compose(session, early, {});
    CHECK(music.start_s == start_s);
    CHECK(music.duration_s == expected.duration_s);
    CHECK(same(music.notes, expected.notes));
  }
}

TEST_CASE("the times of events never fall, whatever the windows' length") {
  for (const char* kind : {R"("vocabulary":243,"window_ms":3200)", R"("vocabulary":243,"window_ms":2200)",
                           R"("vocabulary":332,"window_ms":1600)", R"("vocabulary":332,"window_ms":2600)"}) {
    INFO(kind);
    const auto model = init_model<float>(
        parse_model_config(std::string(R"({"encoder":"temporal","sensors":2,"d_model":16,"heads":2,)"
                                       R"("encoder_layers":0,"decoder_layers":1,"width":8,"blocks":1,)"
                                       R"("max_sequence":64,"rate_hz":50,)") +
                               kind + "}",
                           "c"),
        1);
    Session<float> session(model);
    ComposeOptions options;
    options.fill_windows = true;
    double last = 0;
    bool rises = true;
    options.on_event = [&](const ComposedEvent& event) {
      rises = rises && event.time_s >= last;
      last = event.time_s;
    };
    compose(session, wave(40, 50), options);
    CHECK(rises);
    CHECK(last > 30);
  }
}
