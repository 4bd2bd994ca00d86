// Composing with a temporal encoder and vocabulary 2: windows that go on from one another.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "imu2music/generate/compose.hpp"
#include "imu2music/imu/virtual_violinist.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/notes.hpp"

using namespace imu2music;
using V2 = EventVocabulary2;

namespace {

ModelConfig own_config(const std::string& more = "") {
  return parse_model_config(
      R"({"encoder":"temporal","vocabulary":332,"d_model":32,"heads":2,"width":16,"blocks":3,"feed_forward":32,)"
      R"("max_sequence":96,"window_ms":2000,"time_positions":true,"lookback_ms":1500,"lookahead_ms":300)" +
          more + "}",
      "config");
}

// One arm of a simulated player.
Recording one_sensor(double seconds) {
  std::vector<Note> score;
  for (int n = 0; n < 40; ++n) score.push_back({55 + n * 7 % 24, 70 + n % 20, 0.5 * n, 0.5 * n + 0.45});
  Recording recording = simulate_violinist(score, {});
  recording.sensors.resize(1);
  SensorTrack& sensor = recording.sensors[0];
  const auto n = static_cast<std::int64_t>(std::llround(seconds * sensor.clock.rate_hz));
  REQUIRE(n <= sensor.sample_count());
  for (Channel& channel : sensor.channels) {
    Channel part(channel.quantity, n);
    for (int axis = 0; axis < axis_count(channel.quantity); ++axis)
      std::copy_n(channel.axis(axis).begin(), n, part.axis(axis).begin());
    channel = part;
  }
  return recording;
}

// A model whose weights let only these ids follow one another, whatever it hears: the logits are the output
// layer's bias alone, and that is one id's.
Model<float> model_that_says(int id, const ModelConfig& config = own_config()) {
  auto model = init_model<float>(config, 1);
  for (float& value : model.Wout.weight.value.values()) value = 0;
  for (float& value : model.Wout.bias.value.values()) value = 0;
  model.Wout.bias.value[id] = 1000;
  return model;
}

}  // namespace

TEST_CASE("an untrained model makes music of one sensor's motion, twice the same, on any threads") {
  const auto model = init_model<float>(own_config(), 1);
  const Recording motion = one_sensor(9);
  CHECK(composing_obstacle(model.config).empty());
  ComposeOptions options;
  options.sampler.seed = 4;
  options.fill_windows = true;
  std::int64_t done = 0;
  options.on_window = [&](std::int64_t now, std::int64_t of) {
    CHECK(now == ++done);
    CHECK(of == 5);
  };
  Session<float> session(model);
  const Composition music = compose(session, motion, options);
  CHECK(done == 5);
  REQUIRE(music.windows.size() == 5);
  CHECK(music.duration_s == 9);
  CHECK(music.held_frames == 0);  // the last window is shorter
  CHECK(music.notes.size() > 10);
  std::int64_t notes = 0;
  for (std::size_t w = 0; w < 5; ++w) {
    CHECK(music.windows[w].start_s == 2.0 * static_cast<double>(w));
    notes += music.windows[w].notes;
    CHECK(std::none_of(music.windows[w].ids.begin(), music.windows[w].ids.end(),
                       [](int id) { return id == V2::pad || id == V2::sos || V2::is_end(id); }));
  }
  CHECK(notes == static_cast<std::int64_t>(music.notes.size()));
  for (std::size_t n = 0; n < music.notes.size(); ++n) {
    const Note& note = music.notes[n];
    CHECK(note.end > note.start);
    CHECK(note.end <= 9);
    if (n > 0) CHECK(note.start >= music.notes[n - 1].start);
  }
  options.on_window = {};
  for (const auto& [batch, threads] : {std::pair{1, 1}, {1, 3}, {4, 2}, {100, 1}}) {
    Session<float> other(model, threads);
    options.batch = batch;
    const Composition again = compose(other, motion, options);
    CHECK(again.notes == music.notes);
    for (std::size_t w = 0; w < 5; ++w) CHECK(again.windows[w].ids == music.windows[w].ids);
  }
  options.sampler.seed = 5;
  CHECK(compose(session, motion, options).notes != music.notes);
}

TEST_CASE("the motion decides what is written") {
  const auto model = init_model<float>(own_config(), 1);
  Session<float> session(model);
  Recording motion = one_sensor(4);
  ComposeOptions options;
  options.sampler.greedy = true;
  const Composition one = compose(session, motion, options);
  // The second window's motion alone is another: the first window stays.
  for (Channel& channel : motion.sensors[0].channels)
    for (int axis = 0; axis < 3; ++axis)
      for (std::size_t i = static_cast<std::size_t>(channel.sample_count()) / 2 + 20;
           i < static_cast<std::size_t>(channel.sample_count()); ++i)
        channel.axis(axis)[i] *= -3;
  options.sampler = {.seed = 1};
  const Composition before = compose(session, one_sensor(4), options);
  const Composition after = compose(session, motion, options);
  CHECK(before.windows[0].ids == after.windows[0].ids);
  CHECK(before.windows[1].ids != after.windows[1].ids);
  CHECK(one.windows.size() == 2);
}

TEST_CASE("a recording shorter than a window, and a part of one") {
  const auto model = init_model<float>(own_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.fill_windows = true;
  const Composition brief = compose(session, one_sensor(0.6), options);
  REQUIRE(brief.windows.size() == 1);
  CHECK(brief.duration_s == doctest::Approx(0.6));
  CHECK(brief.held_frames == 0);
  for (const Note& note : brief.notes) CHECK(note.end <= brief.duration_s);
  options.start_s = 1.3;
  options.duration_s = 4.5;
  const Composition part = compose(session, one_sensor(9), options);
  REQUIRE(part.windows.size() == 3);
  CHECK(part.start_s == 1.3);
  CHECK(part.duration_s == 4.5);
  CHECK(part.windows[2].start_s == doctest::Approx(5.3).epsilon(1e-12));
  options.start_s = 9;
  CHECK_THROWS_AS(compose(session, one_sensor(9), options), InputError);
}

TEST_CASE("windows stand exactly on a time axis that does not begin at 0") {
  const auto model = init_model<float>(own_config(), 1);
  Session<float> session(model);
  Recording motion = one_sensor(6);
  motion.sensors[0].clock.start_s = 3.25;
  const Composition all = compose(session, motion, {});
  CHECK(all.start_s == 3.25);
  CHECK(all.duration_s == 6);
  REQUIRE(all.windows.size() == 3);
  CHECK(all.windows[1].start_s == 5.25);
  ComposeOptions options;
  options.start_s = 4.25;
  const Composition part = compose(session, motion, options);
  CHECK(part.start_s == 4.25);
  CHECK(part.duration_s == 5);
  options.start_s = 9.25;
  CHECK_THROWS_WITH_AS(compose(session, motion, options),
                       doctest::Contains("the recording lasts from 3.25 to 9.25 s"), InputError);
}

TEST_CASE("a note that sounds at a window's end sounds on until the model lets it go") {
  ComposeOptions options;
  options.sampler.greedy = true;
  options.prime = {{60, 90, 0.5, 100}, {64, 50, 1, 100}, {67, 70, 0.25, 0.75}};
  const Recording motion = one_sensor(7);
  // Only CUT: both notes are continued to the end, as one note each.
  {
    const auto model = model_that_says(V2::cut);
    Session<float> session(model);
    const Composition music = compose(session, motion, options);
    REQUIRE(music.windows.size() == 4);
    const std::vector<int> told = {V2::velocity_id(90), V2::continued(60), V2::velocity_id(50),
                                   V2::continued(64)};
    for (std::size_t w = 1; w < 4; ++w) {
      CHECK(music.windows[w].primed_events == 4);
      CHECK(std::equal(told.begin(), told.end(), music.windows[w].ids.begin()));
      CHECK(music.windows[w].ids.size() == 5);
      CHECK(music.windows[w].ids.back() == V2::cut);
      CHECK(music.windows[w].notes == 0);
    }
    REQUIRE(music.notes.size() == 3);
    CHECK(music.windows[0].notes == 3);
    CHECK(music.notes[0].pitch == 67);
    CHECK(music.notes[0].start == doctest::Approx(0.25).epsilon(0.04));
    CHECK(music.notes[0].end == doctest::Approx(0.75).epsilon(0.02));
    CHECK(music.notes[1].pitch == 60);
    CHECK(music.notes[1].start == doctest::Approx(0.5).epsilon(0.02));
    CHECK(music.notes[1].end == 7);
    CHECK(music.notes[2].end == 7);
    CHECK(std::abs(music.notes[1].velocity - 90) < 3);
  }
  // EOS: what sounds ends with its window, and the next one is told nothing.
  {
    const auto model = model_that_says(V2::eos);
    Session<float> session(model);
    options.prime[2].end = 2.5;  // all three sound at the first window's end, CUT
    options.prime[2].start = 1.8;
    const Composition music = compose(session, motion, options);
    CHECK(music.windows[1].ids.size() == 7);
    CHECK(music.windows[1].ids.back() == V2::eos);
    CHECK(music.windows[2].ids == std::vector<int>{V2::eos});
    REQUIRE(music.notes.size() == 3);
    // Told at 2 s that they sound on, ended by EOS there; a note never let go lasts 1 s at least.
    for (const Note& note : music.notes)
      CHECK(note.end == doctest::Approx(note.pitch == 67 ? note.start + 1 : 2));
  }
  // The model lets one of them go at once; the other sounds until all tokens are used, and beyond.
  {
    const auto model = model_that_says(V2::note_off(60));
    Session<float> session(model);
    options.prime.pop_back();
    options.max_tokens = 24;
    std::vector<Note> closed;
    options.on_event = [&](const ComposedEvent& event) {
      CHECK((event.window == 0 || !event.primed));
      if (event.window > 0) CHECK_FALSE(V2::is_continued(event.id));
      if (event.closed) closed.push_back(*event.closed);
    };
    const Composition music = compose(session, motion, options);
    REQUIRE(music.notes.size() >= 2);
    const auto c4 = std::find_if(music.notes.begin(), music.notes.end(),
                                 [](const Note& note) { return note.pitch == 60; });
    REQUIRE(c4 != music.notes.end());
    CHECK(c4->start == doctest::Approx(0.5).epsilon(0.02));
    CHECK(c4->end == doctest::Approx(2));
    REQUIRE(!closed.empty());
    CHECK(closed[0].pitch == 60);
    CHECK(closed[0].start == doctest::Approx(c4->start));
    CHECK(closed[0].end == 2);
    CHECK(closed[0].velocity == c4->velocity);
  }
}

TEST_CASE("of many sounding notes the latest are continued, the others end at the border") {
  const auto model = model_that_says(V2::cut);
  Session<float> session(model);
  ComposeOptions options;
  options.max_tokens = 40;
  for (int n = 0; n < 12; ++n) options.prime.push_back({50 + n, 64, 0.1 * n, 100});
  const Composition music = compose(session, one_sensor(5), options);
  CHECK(music.windows[0].primed_events > 24);
  CHECK(music.windows[1].primed_events == 20);
  REQUIRE(music.notes.size() == 12);
  for (const Note& note : music.notes) CHECK(note.end == (note.pitch < 52 ? 2 : 5));
}

TEST_CASE("every event is told once, in order of time, and decoding the windows gives the music") {
  const auto model = init_model<float>(own_config(), 3);
  for (const bool searched : {false, true}) {
    Session<float> session(model);
    ComposeOptions options;
    options.sampler.seed = 2;
    options.fill_windows = true;
    if (searched) {
      options.beam = BeamOptions{.width = 2};
      options.max_tokens = 30;
    }
    std::vector<std::vector<int>> ids(4);
    std::vector<Note> closed;
    double previous = 0;
    options.on_event = [&](const ComposedEvent& event) {
      ids.at(static_cast<std::size_t>(event.window)).push_back(event.id);
      CHECK(event.time_s >= previous);
      CHECK(event.time_s <= 2.0 * (static_cast<double>(event.window) + 1));
      previous = event.time_s;
      if (event.closed) closed.push_back(*event.closed);
    };
    const Composition music = compose(session, one_sensor(8), options);
    std::vector<std::vector<int>> windows;
    for (std::size_t w = 0; w < 4; ++w) {
      const ComposedWindow& window = music.windows[w];
      windows.push_back(window.ids);
      CHECK(ids[w] == std::vector<int>(window.ids.begin() + window.primed_events, window.ids.end()));
    }
    CHECK(std::any_of(music.windows.begin(), music.windows.end(),
                      [](const ComposedWindow& window) { return window.primed_events > 0; }));
    // The vocabulary's own reading of the windows; what still sounds at the end ends with the recording.
    EventDecoder2 decoder;
    for (std::size_t w = 0; w < 4; ++w) {
      decoder.start_window(2.0 * static_cast<double>(w), 2.0);
      for (int id : windows[w]) decoder.push(id);
    }
    std::vector<Note> read;
    for (const Note& note : decoder.notes()) {
      const bool open = decoder.is_open(note.pitch) && &decoder.open_note(note.pitch) == &note;
      read.push_back({note.pitch, note.velocity, note.start, open ? 8.0 : std::min(note.end, 8.0)});
    }
    std::sort(read.begin(), read.end(), [](const Note& a, const Note& b) {
      return std::tie(a.start, a.pitch) < std::tie(b.start, b.pitch);
    });
    const auto expected = notes_on_grid(read, 1e6);
    REQUIRE(expected.size() == music.notes.size());
    for (std::size_t n = 0; n < expected.size(); ++n) {
      CHECK(music.notes[n].pitch == expected[n].pitch);
      CHECK(music.notes[n].velocity == expected[n].velocity);
      CHECK(std::abs(music.notes[n].start - 1e-6 * static_cast<double>(expected[n].start)) < 1.5e-6);
      CHECK(std::abs(music.notes[n].end - 1e-6 * static_cast<double>(expected[n].end)) < 1.5e-6);
    }
    for (const Note& note : closed)
      CHECK(std::any_of(music.notes.begin(), music.notes.end(), [&](const Note& own) {
        return own.pitch == note.pitch && std::abs(own.start - note.start) < 1e-5 &&
               own.end <= note.end + 1e-5;
      }));
  }
}

TEST_CASE("windows that overlap are told the music so far and go on where it ends") {
  const auto model = init_model<float>(own_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.max_tokens = 60;
  options.sampler = {.temperature = 0.5, .seed = 1};
  options.prime = {{60, 80, 0.5, 0.8}, {62, 80, 1.2, 1.5}, {64, 80, 1.6, 100}};
  options.hop_s = 0.5;
  double told_until = 0;
  options.on_event = [&](const ComposedEvent& event) {
    CHECK(event.time_s >= told_until);
    CHECK(event.time_s <= 4);
    told_until = event.time_s;
  };
  const Composition music = compose(session, one_sensor(4), options);
  REQUIRE(music.windows.size() >= 3);
  CHECK(music.windows[0].start_s == 0);
  // The second window begins at 0.5 s and is told the three notes at their places.
  const ComposedWindow& second = music.windows[1];
  CHECK(second.start_s == 0.5);
  CHECK(second.primed_events > 6);
  EventDecoder2 decoder;
  decoder.start_window(0.5);
  for (std::int64_t n = 0; n < second.primed_events; ++n)
    decoder.push(second.ids[static_cast<std::size_t>(n)]);
  CHECK(decoder.time_s() == doctest::Approx(2).epsilon(0.005));
  REQUIRE(decoder.notes().size() == 3);
  CHECK(decoder.notes()[0].start == doctest::Approx(0.5).epsilon(0.02));
  CHECK(decoder.notes()[1].start == doctest::Approx(1.2).epsilon(0.01));
  CHECK(decoder.notes()[1].end == doctest::Approx(1.5).epsilon(0.01));
  CHECK(decoder.is_open(64));
  // No note is there twice.
  for (std::size_t a = 0; a < music.notes.size(); ++a)
    for (std::size_t b = a + 1; b < music.notes.size(); ++b)
      if (music.notes[a].pitch == music.notes[b].pitch)
        CHECK(music.notes[b].start >= music.notes[a].end - 1e-9);
  CHECK(std::count_if(music.notes.begin(), music.notes.end(), [](const Note& note) {
          return note.pitch == 60 && std::abs(note.start - 0.5) < 0.05;
        }) == 1);
  options.hop_s = 2.1;
  CHECK_THROWS_AS(compose(session, one_sensor(4), options), InputError);
  options.hop_s = -1;
  CHECK_THROWS_AS(compose(session, one_sensor(4), options), InputError);
}

TEST_CASE("a note that ends where the music stands is not told as one that goes on, however short") {
  using compose_detail::open_window;
  constexpr double shortest = EventVocabulary2::shortest_note_s;
  for (const double length : {0.001, 0.01, 0.999 * shortest, shortest, 1.001 * shortest, 0.2}) {
    INFO(length);
    const std::vector<Note> ended = {{60, 80, 2.5, 3}, {72, 80, 4 - length, 4}},
                            sounding = {{64, 80, 1, 100}};
    const auto opening = open_window(ended, sounding, 2, 4);
    EventDecoder2 decoder;
    decoder.reset(0, opening.sounding);
    decoder.start_window(0);
    for (const int id : opening.ids) decoder.push(id);
    CHECK(decoder.is_open(64));
    CHECK_FALSE(decoder.is_open(60));
    CHECK_FALSE(decoder.is_open(72));
    CHECK(decoder.time_s() == doctest::Approx(2).epsilon(0.005));
    for (std::size_t n = 0; n < opening.sounds.size(); ++n)
      CHECK(opening.sounds[n] == (decoder.notes()[n].pitch == 64));
    CHECK(opening.sounds.size() == (length < shortest ? 2 : 3));
  }
}

TEST_CASE("greedy is a beam one wide; a second rank is other music with no better score") {
  const auto model = init_model<float>(own_config(), 1);
  Session<float> session(model);
  ComposeOptions greedy, beam;
  greedy.sampler.greedy = true;
  greedy.max_tokens = beam.max_tokens = 20;
  beam.beam = BeamOptions{.width = 1};
  const Recording motion = one_sensor(5);
  const auto a = compose(session, motion, greedy), b = compose(session, motion, beam);
  CHECK(a.notes == b.notes);
  beam.beam->width = 4;
  const auto best = compose(session, motion, beam);
  beam.beam_rank = 2;
  const auto second = compose(session, motion, beam);
  CHECK(second.windows[0].score <= best.windows[0].score);
  CHECK(second.windows[0].ids != best.windows[0].ids);
  beam.beam_rank = 5;
  CHECK_THROWS_AS(compose(session, motion, beam), InputError);
}

TEST_CASE("several sensors, other quantities, vocabulary 1 and armbands with vocabulary 2 compose too") {
  Recording both = simulate_violinist(std::vector<Note>{{60, 80, 0, 4}, {62, 80, 4, 8}}, {});
  ComposeOptions options;
  options.fill_windows = true;
  {
    const auto model = init_model<float>(
        parse_model_config(
            R"({"encoder":"temporal","sensors":2,"quantities":"angular_velocity","rate_hz":25,"d_model":32,"heads":2,)"
            R"("width":16,"blocks":3,"max_sequence":64,"window_ms":3000})",
            "c"),
        1);
    Session<float> session(model);
    const Composition music = compose(session, both, options);
    CHECK(music.windows.size() >= 3);
    CHECK(music.windows[1].start_s == 3);
    CHECK(music.held_frames == 0);
    CHECK(!music.notes.empty());
    options.hop_s = 1;
    CHECK_THROWS_WITH_AS(compose(session, both, options), doctest::Contains("vocabulary 1"), InputError);
    options.hop_s = 0;
    both.sensors.pop_back();
    CHECK_THROWS_WITH_AS(compose(session, both, options), doctest::Contains("wanted of 2 sensors"),
                         InputError);
  }
  {
    both = simulate_violinist(std::vector<Note>{{60, 80, 0, 4}, {62, 80, 4, 8}}, {});
    const auto model = init_model<float>(
        parse_model_config(R"({"vocabulary":332,"d_model":32,"heads":2,"max_sequence":64})", "c"), 1);
    Session<float> session(model);
    const Composition music = compose(session, both, options);
    CHECK(music.windows.size() == 2);
    CHECK(music.windows[1].start_s == 6);
    CHECK(music.held_frames > 0);
    CHECK(music.windows[1].primed_events > 0);
  }
}
