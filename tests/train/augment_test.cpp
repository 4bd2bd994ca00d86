#include "imu2music/train/augment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "imu2music/train/windows.hpp"
#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;

namespace {

constexpr std::int64_t frames = 150;
constexpr int sensors = 2;
const std::vector<Quantity> quantities = {Quantity::acceleration, Quantity::angular_velocity,
                                          Quantity::orientation};

std::vector<float> some_motion(std::uint64_t seed = 1) {
  Philox random(seed);
  std::vector<float> motion(static_cast<std::size_t>(sensors * 10 * frames));
  for (float& value : motion) value = static_cast<float>(random.normal());
  for (int sensor = 0; sensor < sensors; ++sensor)  // orientations of length 1
    for (std::int64_t i = 0; i < frames; ++i) {
      float* q = motion.data() + (sensor * 10 + 6) * frames + i;
      const float length = std::sqrt(q[0] * q[0] + q[frames] * q[frames] + q[2 * frames] * q[2 * frames] +
                                     q[3 * frames] * q[3 * frames]);
      for (int axis = 0; axis < 4; ++axis) q[axis * frames] /= length;
    }
  return motion;
}

std::array<double, 4> at(const std::vector<float>& motion, int channel, std::int64_t i, int count) {
  std::array<double, 4> values{};
  for (int k = 0; k < count; ++k)
    values[static_cast<std::size_t>(k)] =
        static_cast<double>(motion[static_cast<std::size_t>((channel + k) * frames + i)]);
  return values;
}

// q v q*.
std::array<double, 3> turned(const std::array<double, 4>& q, const std::array<double, 4>& v) {
  const auto [x, y, z, w] = q;
  const std::array<double, 3> u = {x, y, z}, a = {v[0], v[1], v[2]};
  const auto cross = [](const std::array<double, 3>& p, const std::array<double, 3>& r) {
    return std::array<double, 3>{p[1] * r[2] - p[2] * r[1], p[2] * r[0] - p[0] * r[2],
                                 p[0] * r[1] - p[1] * r[0]};
  };
  const std::array<double, 3> t = cross(u, a), s = cross(u, t);
  std::array<double, 3> result{};
  for (std::size_t k = 0; k < 3; ++k) result[k] = a[k] + 2 * (w * t[k] + s[k]);
  return result;
}

AugmentedWindow augmented(const Augmentation& how, const std::vector<Note>& notes, Philox random,
                          const std::vector<float>& motion = some_motion()) {
  return augment(how, motion, frames, sensors, quantities, {}, notes, random);
}

const Augmentation everything = {.transpose_semitones_max = 5,
                                 .transpose_with_motion = true,
                                 .rotation_degrees_max = 15,
                                 .gain_max = 0.1,
                                 .noise_deviations = 0.05,
                                 .note_jitter_s = 0.02};

}  // namespace

TEST_CASE("nothing asked for, nothing changed") {
  const std::vector<Note> notes = test::scale(60, 20);
  const AugmentedWindow result = augmented({}, notes, augmentation_random(1, 2, 3));
  CHECK(result.motion == some_motion());
  CHECK(result.notes == notes);
  CHECK(result.semitones == 0);
  CHECK(Augmentation{}.is_none());
  CHECK_FALSE(everything.is_none());
}

TEST_CASE("a sensor is turned as a whole: lengths, angles and the world stay") {
  Augmentation how;
  how.rotation_degrees_max = 30;
  const std::vector<float> before = some_motion();
  const std::vector<float> after = augmented(how, {}, augmentation_random(7, 0, 0)).motion;
  double farthest = 0;
  for (int sensor = 0; sensor < sensors; ++sensor)
    for (std::int64_t i = 0; i < frames; i += 7) {
      const int c = sensor * 10;
      const auto a = at(before, c, i, 3), w = at(before, c + 3, i, 3), q = at(before, c + 6, i, 4);
      const auto a2 = at(after, c, i, 3), w2 = at(after, c + 3, i, 3), q2 = at(after, c + 6, i, 4);
      double length = 0, length2 = 0, both = 0, both2 = 0, change = 0, unit = 0;
      for (std::size_t k = 0; k < 3; ++k) {
        length += a[k] * a[k];
        length2 += a2[k] * a2[k];
        both += a[k] * w[k];
        both2 += a2[k] * w2[k];
        change += (a2[k] - a[k]) * (a2[k] - a[k]);
      }
      for (const double part : q2) unit += part * part;
      CHECK(length2 == doctest::Approx(length).epsilon(1e-5));
      CHECK(std::abs(both2 - both) < 1e-5 * (1 + std::abs(both)));
      CHECK(unit == doctest::Approx(1).epsilon(1e-5));
      const auto world = turned(q, a), world2 = turned(q2, a2);
      for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(world2[k] - world[k]) < 1e-5);
      farthest = std::max(farthest, std::sqrt(change / length));
    }
  CHECK(farthest > 0.01);
  CHECK(farthest < 2 * std::sin(15 * 3.141592653589793 / 180) + 1e-6);  // no turn beyond 30°
}

TEST_CASE("gain is one factor a quantity and sensor, noise is of the channel's size") {
  Augmentation how;
  how.gain_max = 0.2;
  const std::vector<float> before = some_motion();
  std::vector<float> after = augmented(how, {}, augmentation_random(7, 0, 0)).motion;
  std::set<float> factors;
  for (int sensor = 0; sensor < sensors; ++sensor)
    for (int quantity = 0; quantity < 3; ++quantity) {
      const int c = sensor * 10 + 3 * quantity;
      const auto first = static_cast<std::size_t>(c * frames);
      const float factor = after[first] / before[first];
      factors.insert(factor);
      for (std::int64_t i = 0; i < (quantity < 2 ? 3 : 4) * frames; ++i) {
        const auto k = first + static_cast<std::size_t>(i);
        CHECK(std::abs(after[k] - factor * before[k]) < 1e-5f);
      }
      if (quantity == 2)
        CHECK(factor == 1);
      else
        CHECK(std::abs(factor - 1) <= 0.2001f);
    }
  CHECK(factors.size() == 5);

  how = {};
  how.noise_deviations = 0.1;
  const std::vector<float> deviations(static_cast<std::size_t>(sensors * 10), 3.0f);
  std::vector<float> noisy = before;
  Philox random(3);
  augment_motion(how, noisy, frames, sensors, quantities, deviations, random);
  double squares = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(6 * frames); ++i)
    squares += static_cast<double>((noisy[i] - before[i]) * (noisy[i] - before[i]));
  CHECK(std::sqrt(squares / (6 * frames)) == doctest::Approx(0.3).epsilon(0.1));
  CHECK(std::equal(noisy.begin() + 6 * frames, noisy.begin() + 10 * frames, before.begin() + 6 * frames));
  // Without deviations those of the frames count, which are near 1 here.
  std::vector<float> own = before;
  Philox again(3);
  augment_motion(how, own, frames, sensors, quantities, {}, again);
  CHECK(std::abs(own[5] - before[5]) == doctest::Approx(std::abs(noisy[5] - before[5]) / 3).epsilon(0.2));
}

TEST_CASE("jitter keeps chords, joints and order") {
  std::vector<Note> notes = test::scale(60, 40, 0, 0.25);  // each ends where the next begins
  for (int i = 0; i < 40; i += 4)
    notes.push_back({50, 70, i * 0.25, (i + 2) * 0.25});  // with a second note below
  sort_notes(notes);
  Augmentation how;
  how.note_jitter_s = 0.05;
  const std::vector<Note> moved = augmented(how, notes, augmentation_random(5, 1, 1)).notes;
  REQUIRE(moved.size() == notes.size());
  double farthest = 0;
  for (std::size_t i = 0; i < notes.size(); ++i) {
    CHECK(moved[i].pitch == notes[i].pitch);
    CHECK(moved[i].end > moved[i].start);
    CHECK(moved[i].start >= 0);
    CHECK(std::abs(moved[i].start - notes[i].start) <= 0.05);
    CHECK(std::abs(moved[i].end - notes[i].end) <= 0.05);
    farthest = std::max(farthest, std::abs(moved[i].start - notes[i].start));
    for (std::size_t j = 0; j < notes.size(); ++j) {
      CHECK((moved[i].start == moved[j].start) == (notes[i].start == notes[j].start));
      CHECK((moved[i].end == moved[j].start) == (notes[i].end == notes[j].start));
      CHECK((moved[i].start < moved[j].start) == (notes[i].start < notes[j].start));
    }
  }
  CHECK(farthest > 0.02);
  // Notes closer together than the jitter keep their order too.
  std::vector<Note> fast;
  for (int i = 0; i < 50; ++i) fast.push_back({60, 64, i * 0.01, i * 0.01 + 0.005});
  const std::vector<Note> faster = augmented(how, fast, augmentation_random(5, 1, 2)).notes;
  for (std::size_t i = 1; i < faster.size(); ++i) CHECK(faster[i].start > faster[i - 1].end);
}

TEST_CASE("transposition: music alone, all notes alike, within the range") {
  Augmentation how;
  how.transpose_semitones_max = 6.5;
  const std::vector<Note> notes = test::scale(60, 12);
  std::set<int> shifts;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const AugmentedWindow alone =
        augment(how, {}, 0, sensors, quantities, {}, notes, augmentation_random(1, 0, i));
    CHECK(alone.motion.empty());
    shifts.insert(alone.semitones);
    for (std::size_t k = 0; k < notes.size(); ++k)
      CHECK(alone.notes[k].pitch == notes[k].pitch + alone.semitones);
    CHECK(augmented(how, notes, augmentation_random(1, 0, i)).semitones == 0);  // the motion tells the pitch
  }
  CHECK(shifts.size() == 13);
  CHECK(*shifts.begin() == -6);
  CHECK(*shifts.rbegin() == 6);
  how.transpose_with_motion = true;
  bool any = false;
  for (std::uint64_t i = 0; i < 20; ++i)
    any = any || augmented(how, notes, augmentation_random(1, 0, i)).semitones != 0;
  CHECK(any);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::vector<Note> wide = {{22, 64, 0, 1}, {107, 64, 1, 2}};
    Philox random = augmentation_random(2, 0, i);
    for (const Note& note : augment_notes(how, wide, false, random)) {
      CHECK(note.pitch >= 21);
      CHECK(note.pitch <= 108);
    }
    const std::vector<Note> high = {{60, 64, 0, 1}, {110, 64, 1, 2}, {125, 64, 2, 3}};
    const std::vector<Note> moved = augment_notes(how, high, false, random);
    for (std::size_t k = 1; k < 3; ++k) CHECK(moved[k].pitch - moved[0].pitch == high[k].pitch - 60);
    CHECK(moved[2].pitch <= 127);
  }
}

TEST_CASE("all of it is a function of seed, step and index") {
  const std::vector<Note> notes = test::scale(60, 30);
  const AugmentedWindow one = augmented(everything, notes, augmentation_random(1, 2, 3));
  const AugmentedWindow same = augmented(everything, notes, augmentation_random(1, 2, 3));
  CHECK(one.motion == same.motion);
  CHECK(one.notes == same.notes);
  for (const auto& [seed, step, index] :
       std::vector<std::array<std::uint64_t, 3>>{{2, 2, 3}, {1, 3, 3}, {1, 2, 4}}) {
    const AugmentedWindow other = augmented(everything, notes, augmentation_random(seed, step, index));
    CHECK(one.motion != other.motion);
    CHECK(one.notes != other.notes);
  }
  CHECK_THROWS_AS(augmentation_random(1, 0, std::uint64_t{1} << 24), Error);
  CHECK_THROWS_AS(augmentation_random(1, std::uint64_t{1} << 40, 0), Error);
}

TEST_CASE("inputs and targets are cut from one augmented piece") {
  // The reference moves the notes that the model reads and not those that it should write. Here there is one
  // list of notes, of which one list of tokens is made: every target is the input of the next step.
  Pair pair = test::pair("p", "s1", "a", "", 1);
  pair.notes = test::scale(60, 40, 0.2, 0.09);
  ModelConfig config;
  config.max_sequence = 96;
  int differing = 0;
  for (const int vocabulary : {243, 332})
    for (std::uint64_t step = 0; step < 20; ++step) {
      config.vocabulary = vocabulary;
      const AugmentedWindow window = augmented(everything, pair.notes, augmentation_random(9, step, 0));
      const std::vector<int> tokens = window_tokens(config, window.notes, 1, 2.5, "p"),
                             unchanged = window_tokens(config, pair.notes, 1, 2.5, "p");
      const ModelTokens both = inputs_and_targets(tokens, 96, EventVocabulary1::pad);
      const std::size_t length = tokens.size() - 1;
      for (std::size_t i = 0; i + 1 < length; ++i) CHECK(both.x[i + 1] == both.y[i]);
      CHECK(both.y[length - 1] == tokens.back());
      // Targets of the piece as it was would not be those of these inputs.
      bool mixed = unchanged.size() == tokens.size();
      for (std::size_t i = 1; mixed && i < tokens.size(); ++i) mixed = unchanged[i] == tokens[i];
      differing += !mixed;
    }
  CHECK(differing > 30);
}

TEST_CASE("amounts and sizes that make no sense are refused") {
  std::vector<float> motion = some_motion();
  Philox random(1);
  Augmentation how;
  how.gain_max = 2;
  CHECK_THROWS_AS(augment_motion(how, motion, frames, sensors, quantities, {}, random), Error);
  how.gain_max = std::nan("");
  CHECK_THROWS_AS(check_augmentation(how), Error);
  how = everything;
  CHECK_THROWS_AS(augment_motion(how, motion, frames + 1, sensors, quantities, {}, random), ShapeError);
  CHECK_THROWS_AS(augment_motion(how, motion, frames, sensors, quantities, std::vector<float>(3), random),
                  ShapeError);
  const std::vector<Quantity> angles = {Quantity::rotation};
  CHECK_THROWS_AS(augment_motion(how, motion, frames, 1, angles, {}, random), ShapeError);
}
