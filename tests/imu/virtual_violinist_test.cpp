#include "imu2music/imu/virtual_violinist.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <vector>

#include "error_text.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "support.hpp"

using namespace imu2music;
using test::is_line_with;

namespace {

std::vector<Note> run_of(int count, double note_s, int first_pitch = 55, int step = 1, int velocity = 80) {
  std::vector<Note> notes;
  for (int i = 0; i < count; ++i)
    notes.push_back({first_pitch + step * i, velocity, i * note_s, (i + 1) * note_s});
  return notes;
}

VirtualViolinistOptions without_errors() {
  VirtualViolinistOptions options;
  options.errors = SensorErrors::none();
  options.stroke_variation = 0;
  return options;
}

Vec3 vector_at(const Channel& channel, std::size_t i) {
  return {static_cast<double>(channel.axis(0)[i]), static_cast<double>(channel.axis(1)[i]),
          static_cast<double>(channel.axis(2)[i])};
}

const Channel& channel_of(const Recording& recording, const char* sensor, Quantity quantity) {
  return *recording.find_sensor(sensor)->find(quantity);
}

double rms_of_norm(const Channel& channel) {
  double squares = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(channel.sample_count()); ++i)
    squares += dot(vector_at(channel, i), vector_at(channel, i));
  return std::sqrt(squares / static_cast<double>(channel.sample_count()));
}

}  // namespace

TEST_CASE("two armbands at the rate asked for, as long as the score and a second more") {
  const Recording recording = simulate_violinist(run_of(10, 0.5));
  CHECK(recording.sensor_names() == "myo1, myo2");
  CHECK(recording.common_rate_hz() == 25.0);
  CHECK(recording.duration_s() == doctest::Approx(6.0));
  REQUIRE(recording.notes.size() == 1);
  CHECK(is_line_with(recording.notes[0], {"simulated"}));
  CHECK_NOTHROW(check_recording(recording));
  std::vector<float> features(900);
  reference_features(recording, 0, 150, features);
  for (const float feature : features) REQUIRE(std::isfinite(feature));
  for (const SensorTrack& sensor : recording.sensors)
    for (const Channel& channel : sensor.channels)
      for (const float sample : channel.samples) REQUIRE(std::isfinite(sample));
  CHECK(channel_of(recording, "myo1", Quantity::rotation).axis(0)[0] == doctest::Approx(0).epsilon(0.02));
}

TEST_CASE("a still arm reads gravity and the gyroscope's bias") {
  const std::vector<Note> one = {{69, 80, 0, 0.5}};
  VirtualViolinistOptions options;
  options.tail_s = 20;
  options.errors.acceleration_bias = 0;
  const Recording recording = simulate_violinist(one, options);
  const Channel& acceleration = channel_of(recording, "myo1", Quantity::acceleration);
  const Channel& angular_velocity = channel_of(recording, "myo1", Quantity::angular_velocity);
  const double acceleration_sigma = options.errors.acceleration_noise_density * std::sqrt(12.5);
  const double gyro_sigma = options.errors.angular_velocity_noise_density * std::sqrt(12.5);
  Vec3 mean;
  const std::size_t first = 50;
  const auto n = static_cast<std::size_t>(acceleration.sample_count());
  for (std::size_t i = first; i < n; ++i) {
    REQUIRE(std::abs(norm(vector_at(acceleration, i)) - standard_gravity) < 6 * acceleration_sigma);
    mean = mean + (1.0 / static_cast<double>(n - first)) * vector_at(angular_velocity, i);
  }
  CHECK(norm(mean) > 0);
  CHECK(norm(mean) < 5 * options.errors.angular_velocity_bias);
  for (std::size_t i = first; i < n; ++i)
    REQUIRE(norm(vector_at(angular_velocity, i) - mean) < 8 * gyro_sigma);
}

TEST_CASE("the integral of the angular velocity is the change of attitude") {
  VirtualViolinistOptions options = without_errors();
  options.rate_hz = 200;
  options.with_orientation = true;
  const Recording recording = simulate_violinist(run_of(16, 0.3, 57, 2), options);
  for (const char* name : {"myo1", "myo2"}) {
    CAPTURE(name);
    const Channel& omega = channel_of(recording, name, Quantity::angular_velocity);
    const Channel& attitude = channel_of(recording, name, Quantity::orientation);
    const auto n = static_cast<std::size_t>(omega.sample_count());
    const auto measured = [&](std::size_t i) {
      return std::array<double, 4>{
          static_cast<double>(attitude.axis(0)[i]), static_cast<double>(attitude.axis(1)[i]),
          static_cast<double>(attitude.axis(2)[i]), static_cast<double>(attitude.axis(3)[i])};
    };
    std::array<double, 4> q = measured(0);
    double worst = 0;
    for (std::size_t i = 0; i + 1 < n; ++i) {
      // q ← q ⊗ exp(½ ω dt), ω the mean over the step.
      const Vec3 half = (0.25 / 200) * (vector_at(omega, i) + vector_at(omega, i + 1));
      const double angle = norm(half);
      const Vec3 v = (angle < 1e-12 ? 1.0 : std::sin(angle) / angle) * half;
      const double w = std::cos(angle);
      const auto [x, y, z, s] = q;
      q = {s * v.x + x * w + y * v.z - z * v.y, s * v.y - x * v.z + y * w + z * v.x,
           s * v.z + x * v.y - y * v.x + z * w, s * w - x * v.x - y * v.y - z * v.z};
      const auto m = measured(i + 1);
      const double cosine = std::abs(q[0] * m[0] + q[1] * m[1] + q[2] * m[2] + q[3] * m[3]);
      worst = std::max(worst, 2 * std::acos(std::min(1.0, cosine)));
    }
    CHECK(worst < 0.5 * radians_per_degree);
  }
}

TEST_CASE("the second derivative of the position, less gravity, is the specific force") {
  VirtualViolinistOptions options = without_errors();
  options.rate_hz = 200;
  const std::vector<Note> notes = run_of(16, 0.4, 57, 2);
  const Recording recording = simulate_violinist(notes, options);
  const VirtualViolinist player(notes, options);
  const Channel& measured = channel_of(recording, "myo1", Quantity::acceleration);
  double greatest = 0;
  double squares = 0;
  for (std::size_t i = 40; i < 1200; ++i) {
    const double t = static_cast<double>(i) / 200;
    const double h = 2e-3;
    const Vec3 a =
        (1 / (h * h)) * (player.bow_arm(t + h).sensor.position + player.bow_arm(t - h).sensor.position -
                         2.0 * player.bow_arm(t).sensor.position);
    greatest = std::max(greatest, norm(a));
    const Vec3 wanted = player.bow_arm(t).sensor.rotation.to_sensor(a + Vec3{0, 0, standard_gravity});
    const double difference = norm(vector_at(measured, i) - wanted);
    REQUIRE(difference < 0.5);
    squares += difference * difference / 1160;
  }
  CHECK(greatest > 2);
  CHECK(std::sqrt(squares) < 0.03);
}

TEST_CASE("rotation angles are those of the attitude relative to the first sample") {
  VirtualViolinistOptions options = without_errors();
  options.rate_hz = 200;
  const std::vector<Note> notes = run_of(8, 0.5, 60, 2);
  const Recording recording = simulate_violinist(notes, options);
  const VirtualViolinist player(notes, options);
  const Channel& rotation = channel_of(recording, "myo1", Quantity::rotation);
  for (std::size_t i = 0; i < 800; i += 10) {
    const auto angles = roll_pitch_yaw(relative_rotation(
        player.bow_arm(0).sensor.rotation, player.bow_arm(static_cast<double>(i) / 200).sensor.rotation));
    for (int a = 0; a < 3; ++a)
      REQUIRE(std::abs(static_cast<double>(rotation.axis(a)[i]) - angles[static_cast<std::size_t>(a)]) <
              2e-3);
  }
}

TEST_CASE("a run of notes has one bow reversal fewer than notes, and the bow stays on its hair") {
  for (const double note_s : {0.08, 0.25, 0.9, 4.0}) {
    CAPTURE(note_s);
    const std::vector<Note> notes = run_of(21, note_s);
    const VirtualViolinist player(notes);
    CHECK(player.strokes().size() == 21);
    int reversals = 0;
    double direction = 0;
    const double step = note_s / 200;
    for (double t = step; t < 21 * note_s; t += step) {
      const double s = player.bow_position(t);
      REQUIRE(s > 0.03);
      REQUIRE(s < 0.55);
      const double change = s - player.bow_position(t - step);
      if (std::abs(change) < 1e-9) continue;
      if (change * direction < 0) ++reversals;
      direction = change;
    }
    CHECK(reversals == 20);
  }
}

TEST_CASE("bow position runs smoothly: at rest at both ends of a stroke, quicker for louder notes") {
  const VirtualViolinist player(run_of(6, 0.4), without_errors());
  const double h = 1e-5;
  for (const VirtualViolinist::Stroke& stroke : player.strokes()) {
    CHECK(player.bow_position(stroke.start_s) == doctest::Approx(stroke.from));
    CHECK(player.bow_position(stroke.end_s) == doctest::Approx(stroke.to));
    for (const double t : {stroke.start_s, stroke.end_s})
      CHECK(std::abs(player.bow_position(t + h) - player.bow_position(t - h)) / (2 * h) < 1e-6);
    const double halfway = 0.5 * (stroke.start_s + stroke.end_s);
    CHECK(player.bow_position(halfway) == doctest::Approx(0.5 * (stroke.from + stroke.to)));
    for (const double seam : {stroke.start_s + stroke.ramp_s, stroke.end_s - stroke.ramp_s})
      CHECK(player.bow_position(seam - 1e-12) ==
            doctest::Approx(player.bow_position(seam + 1e-12)).epsilon(1e-9));
  }
  const auto first_length = [](int velocity) {
    const VirtualViolinist::Stroke stroke =
        VirtualViolinist(run_of(2, 0.4, 55, 1, velocity), without_errors()).strokes()[0];
    return stroke.to - stroke.from;
  };
  CHECK(first_length(120) > 1.2 * first_length(30));
}

TEST_CASE("between notes the arm is still") {
  const std::vector<Note> notes = {{69, 80, 0.0, 0.5}, {69, 80, 2.0, 2.5}};
  const Recording recording = simulate_violinist(notes, without_errors());
  const Channel& omega = channel_of(recording, "myo1", Quantity::angular_velocity);
  for (std::size_t i = 30; i < 38; ++i) CHECK(norm(vector_at(omega, i)) < 0.01);
  double moving = 0;
  for (std::size_t i = 0; i < 12; ++i) moving = std::max(moving, norm(vector_at(omega, i)));
  CHECK(moving > 0.5);
}

TEST_CASE("the lower the string, the higher the elbow") {
  CHECK(violin_string(55) == 0);
  CHECK(violin_string(61) == 0);
  CHECK(violin_string(62) == 1);
  CHECK(violin_string(69) == 2);
  CHECK(violin_string(75) == 2);
  CHECK(violin_string(76) == 3);
  CHECK(violin_string(100) == 3);
  CHECK(violin_string(20) == 0);
  std::vector<double> heights;
  for (const int pitch : {57, 64, 71, 78}) {
    const std::vector<Note> notes = {{pitch, 80, 0, 1}};
    const VirtualViolinist player(notes, without_errors());
    CHECK(player.string_at(0.5) == violin_string(pitch));
    heights.push_back(player.bow_arm(0.5).elbow.z);
  }
  for (std::size_t i = 0; i + 1 < heights.size(); ++i) CHECK(heights[i] > heights[i + 1] + 0.02);
}

TEST_CASE("a change of string is over soon after the note starts, and begins before") {
  const std::vector<Note> notes = {{57, 80, 0, 1}, {78, 80, 1, 2}, {64, 80, 2, 3}};
  const VirtualViolinist player(notes, without_errors());
  CHECK(player.string_at(-5) == 0);
  CHECK(player.string_at(0.75) == 0);
  CHECK(player.string_at(1.0) > 1.5);
  CHECK(player.string_at(1.2) == 3);
  CHECK(player.string_at(2.5) == 1);
  CHECK(player.string_at(50) == 1);
  for (double t = 0; t < 3; t += 0.001) {
    REQUIRE(player.string_at(t) >= -1e-12);
    REQUIRE(player.string_at(t) <= 3 + 1e-12);
  }
}

TEST_CASE("arm segments keep their lengths and the elbow opens towards the tip") {
  const std::vector<Note> notes = run_of(30, 0.3, 55, 1);
  const VirtualViolinist player(notes);
  double smallest = 10;
  double greatest = 0;
  for (double t = 0; t < 9; t += 0.01) {
    const ArmPose arm = player.bow_arm(t);
    REQUIRE(norm(arm.elbow) == doctest::Approx(0.32));
    REQUIRE(norm(arm.hand - arm.elbow) == doctest::Approx(0.36));
    REQUIRE(norm(arm.hand) == doctest::Approx(std::sqrt(0.32 * 0.32 + 0.36 * 0.36 -
                                                        2 * 0.32 * 0.36 * std::cos(arm.elbow_angle)))
                                  .epsilon(1e-6));
    smallest = std::min(smallest, arm.elbow_angle);
    greatest = std::max(greatest, arm.elbow_angle);
    const Rotation3& r = arm.sensor.rotation;
    REQUIRE(dot(r.x, cross(r.y, r.z)) == doctest::Approx(1));
    REQUIRE(std::abs(dot(r.x, r.y)) < 1e-12);
    const ArmPose left = player.left_arm(t);
    REQUIRE(norm(left.elbow - Vec3{-0.36, 0, 0}) == doctest::Approx(0.32));
    REQUIRE(norm(left.hand - left.elbow) == doctest::Approx(0.32));
  }
  CHECK(smallest > 0.6);
  CHECK(greatest < 2.8);
  CHECK(greatest - smallest > 0.3);
}

TEST_CASE("long notes have a vibrato of the left forearm, short ones none") {
  const auto roll_rate = [](double note_s, double vibrato_hz) {
    VirtualViolinistOptions options = without_errors();
    options.vibrato_hz = vibrato_hz;
    const std::vector<Note> notes = {{71, 80, 0, note_s}};
    const Recording recording = simulate_violinist(notes, options);
    double greatest = 0;
    const auto roll = channel_of(recording, "myo2", Quantity::angular_velocity).axis(0);
    for (const float rate : roll) greatest = std::max(greatest, std::abs(static_cast<double>(rate)));
    return greatest / radians_per_degree;
  };
  CHECK(roll_rate(3.0, 5.5) > 30);
  CHECK(roll_rate(3.0, 5.5) < 90);
  CHECK(roll_rate(3.0, 0) < 1);
  CHECK(roll_rate(0.3, 5.5) < 1);
}

TEST_CASE("the left hand moves up the neck for high notes") {
  const auto hand = [](int pitch) {
    const std::vector<Note> notes = {{pitch, 80, 0, 0.3}};
    return VirtualViolinist(notes, without_errors()).left_arm(0.1).hand;
  };
  const Vec3 low = hand(78);
  CHECK(norm(hand(83) - low) < 1e-9);
  CHECK(norm(hand(88) - low) > 0.05);
  CHECK(norm(hand(96) - low) > norm(hand(88) - low));
}

TEST_CASE("one seed, one recording; another seed, another") {
  const std::vector<Note> notes = run_of(12, 0.3);
  VirtualViolinistOptions options;
  options.seed = 7;
  const Recording a = simulate_violinist(notes, options);
  const Recording b = simulate_violinist(notes, options);
  options.seed = 8;
  const Recording c = simulate_violinist(notes, options);
  for (std::size_t s = 0; s < 2; ++s)
    for (std::size_t q = 0; q < 3; ++q) {
      CHECK(a.sensors[s].channels[q].samples == b.sensors[s].channels[q].samples);
      if (s == 0 || q > 0) CHECK(a.sensors[s].channels[q].samples != c.sensors[s].channels[q].samples);
    }
  CHECK(a.sensors[0].channels[1].samples != a.sensors[1].channels[1].samples);
}

TEST_CASE("rates agree with each other where both can carry the motion") {
  VirtualViolinistOptions options = without_errors();
  const std::vector<Note> notes = run_of(10, 0.6);
  const Recording slow = simulate_violinist(notes, options);
  options.rate_hz = 100;
  const Recording quick = at_rate(simulate_violinist(notes, options), 25);
  const Channel& a = channel_of(slow, "myo1", Quantity::angular_velocity);
  const Channel& b = channel_of(quick, "myo1", Quantity::angular_velocity);
  REQUIRE(a.samples.size() == b.samples.size());
  for (std::size_t i = 5; i < 140; ++i) CHECK(norm(vector_at(a, i) - vector_at(b, i)) < 0.02);
}

TEST_CASE("chords are one stroke, overlaps are cut, order does not matter") {
  const std::vector<Note> notes = {
      {74, 70, 1.0, 2.0}, {62, 80, 0.0, 1.5}, {69, 90, 0.01, 1.2}, {76, 80, 2.0, 2.0}};
  const VirtualViolinist player(notes, without_errors());
  REQUIRE(player.strokes().size() == 3);
  CHECK(player.strokes()[0].start_s == 0.0);
  CHECK(player.strokes()[0].end_s == 1.0);
  CHECK(player.string_at(0.5) == 2);
  CHECK(player.strokes()[2].end_s == doctest::Approx(2.05));
}

TEST_CASE("hostile scores: very short, very many, out of the violin's range") {
  std::vector<Note> notes;
  for (int i = 0; i < 3000; ++i) notes.push_back({i % 128, i % 128, i * 0.001, i * 0.001});
  const Recording recording = simulate_violinist(notes);
  for (const SensorTrack& sensor : recording.sensors)
    for (const Channel& channel : sensor.channels)
      for (const float sample : channel.samples) {
        REQUIRE(std::isfinite(sample));
        REQUIRE(std::abs(sample) < 200);
      }
}

TEST_CASE("scores and options that cannot be played are refused") {
  const auto fault_of = [](std::vector<Note> notes) {
    return test::error_text<InputError>([&] { simulate_violinist(notes); });
  };
  CHECK(is_line_with(fault_of({}), {"score", "no notes"}));
  CHECK(is_line_with(fault_of({{60, 64, 0, 1}, {60, 64, -1, 1}}), {"note 1", "-1 s"}));
  CHECK_FALSE(fault_of({{60, 64, NAN, 1}}).empty());
  CHECK_FALSE(fault_of({{60, 64, 0, NAN}}).empty());
  CHECK_FALSE(fault_of({{60, 64, 0, INFINITY}}).empty());
  CHECK_FALSE(fault_of({{60, 64, 2, 1}}).empty());
  CHECK(is_line_with(fault_of({{60, 64, 0, 20000}}), {"three hours"}));

  const std::vector<Note> notes = run_of(2, 0.5);
  const auto refuses = [&](auto change) {
    VirtualViolinistOptions options;
    change(options);
    return !test::error_text<Error>([&] { simulate_violinist(notes, options); }).empty();
  };
  CHECK(refuses([](VirtualViolinistOptions& o) { o.rate_hz = 0; }));
  CHECK(refuses([](VirtualViolinistOptions& o) { o.rate_hz = NAN; }));
  CHECK(refuses([](VirtualViolinistOptions& o) { o.tail_s = -1; }));
  CHECK(refuses([](VirtualViolinistOptions& o) { o.stroke_variation = 2; }));
  CHECK(refuses([](VirtualViolinistOptions& o) { o.vibrato_hz = 50; }));
  CHECK(refuses([](VirtualViolinistOptions& o) { o.errors.acceleration_bias = -1; }));
  CHECK_FALSE(refuses([](VirtualViolinistOptions& o) { o.tail_s = 0; }));
}

// The printed scores that the real takes were played from: the simulation's size of motion beside the
// players'.
TEST_CASE("magnitudes are those of real players") {
  for (const char* stroke : {"1_martele", "3_detache"}) {
    CAPTURE(stroke);
    const std::string score = test::shared_file(std::string("data/violin-myo/score/") + stroke + ".csv");
    if (score.empty()) return;
    std::vector<Note> notes;
    std::istringstream lines(test::read_file(score));
    std::string line;
    while (std::getline(lines, line)) {
      Note note;
      note.velocity = 80;
      if (std::sscanf(line.c_str(), "%lf,%lf,%d", &note.start, &note.end, &note.pitch) == 3 &&
          note.start < 22)
        notes.push_back(note);
    }
    REQUIRE(notes.size() >= 29);
    const Recording simulated = simulate_violinist(notes, without_errors());

    double least_gyro = 1e9;
    double greatest_gyro = 0;
    double least_spread = 1e9;
    double greatest_spread = 0;
    for (const char* player : {"1", "2", "3", "4"}) {
      std::istringstream rows(test::read_file(
          test::shared_file(std::string("data/violin-myo/takes/") + stroke + "_s" + player + ".csv")));
      double gyro_squares = 0;
      double norms = 0;
      double norm_squares = 0;
      double count = 0;
      while (std::getline(rows, line)) {
        Vec3 a;
        Vec3 w;
        if (std::sscanf(line.c_str(), "%*f,%*d,%lf,%lf,%lf,%lf,%lf,%lf", &a.x, &a.y, &a.z, &w.x, &w.y,
                        &w.z) != 6)
          continue;
        gyro_squares += dot(w, w);
        norms += norm(a) * standard_gravity;
        norm_squares += dot(a, a) * standard_gravity * standard_gravity;
        ++count;
      }
      REQUIRE(count == 2250);
      const double gyro = std::sqrt(gyro_squares / count);
      const double spread = std::sqrt(norm_squares / count - norms / count * norms / count);
      least_gyro = std::min(least_gyro, gyro);
      greatest_gyro = std::max(greatest_gyro, gyro);
      least_spread = std::min(least_spread, spread);
      greatest_spread = std::max(greatest_spread, spread);
    }

    const double gyro =
        rms_of_norm(channel_of(simulated, "myo1", Quantity::angular_velocity)) / radians_per_degree;
    const Channel& acceleration = channel_of(simulated, "myo1", Quantity::acceleration);
    const auto n = static_cast<std::size_t>(acceleration.sample_count());
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += norm(vector_at(acceleration, i)) / static_cast<double>(n);
    const double rms = rms_of_norm(acceleration);
    const double spread = std::sqrt(rms * rms - mean * mean);
    MESSAGE(std::string(stroke) << ": gyroscope rms " << gyro << " degrees/s, real " << least_gyro << " to "
                                << greatest_gyro << "; spread of |acceleration| " << spread << " m/s^2, real "
                                << least_spread << " to " << greatest_spread);
    CHECK(gyro > 0.7 * least_gyro);
    CHECK(gyro < 1.3 * greatest_gyro);
    CHECK(spread > 0.7 * least_spread);
    CHECK(spread < 1.3 * greatest_spread);
    CHECK(mean == doctest::Approx(standard_gravity).epsilon(0.05));
  }
}
