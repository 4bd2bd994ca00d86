// A motion recording as one safetensors file, from which it comes back exactly: every bit of every sample,
// every time stamp, names and notes.
//
//   sensor0/channel0   F32 [axes, n]   sample values, SI units
//   sensor0/times      F64 [n]         where the clock is not uniform
//   metadata           imu2music.recording "1"; source, format; sensors "2"; notes "1", note0 "…"
//                      sensor0/name "myo", sensor0/channels "2", sensor0/channel0 "acceleration",
//                      sensor0/channel0/unit "m/s²", sensor0/start_s "0", sensor0/rate_hz "100",
//                      sensor0/resets "17:0.25 …" (sample:back_s)
//
// Texts that are not UTF-8 cannot stand in a safetensors header: their wrong bytes become U+FFFD. Control
// characters, which no reader leaves in a name, are read as blanks.
// Errors: InputError for a file that is none of these or contradicts itself; ShapeError for a recording that
// check_recording() refuses.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/json_value.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

namespace recording_file_detail {

inline constexpr std::array quantities = {
    Quantity::acceleration, Quantity::angular_velocity, Quantity::rotation,  Quantity::orientation,
    Quantity::position,     Quantity::image_position,   Quantity::confidence};

inline std::string utf8(std::string_view text) {
  std::string valid;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    valid += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(i, length);
    i += length == 0 ? 1 : length;
  }
  return valid;
}

// The metadata of one file, with a message for what is missing or wrong.
class Metadata {
 public:
  explicit Metadata(const TensorFile& file) : file_(file) {}

  const std::string& text(const std::string& key) const {
    const auto found = file_.metadata.find(key);
    if (found == file_.metadata.end()) fail("has no " + in_quotes(key) + " in its metadata");
    return found->second;
  }
  std::string shown(const std::string& key) const { return one_line(text(key)); }
  double number(const std::string& key) const { return number_in(text(key), key); }
  std::size_t count(const std::string& key) const {
    const double value = number(key);
    if (!(value >= 0 && value <= 1e6) || value != static_cast<double>(static_cast<std::size_t>(value)))
      fail("has " + in_quotes(key) + " as " + in_quotes(text(key)));
    return static_cast<std::size_t>(value);
  }
  double number_in(std::string_view digits, const std::string& key) const {
    double value = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (fault != std::errc{} || end != digits.data() + digits.size())
      fail("has " + in_quotes(key) + " as " + in_quotes(digits) + ", which is no number");
    return value;
  }
  [[noreturn]] void fail(const std::string& fault) const {
    throw InputError(file_.path, fault, "prepare the data set again");
  }

 private:
  const TensorFile& file_;
};

}  // namespace recording_file_detail

inline void write_recording_file(const Recording& recording, const std::string& path) {
  using recording_file_detail::utf8;
  check_recording(recording);
  std::vector<TensorEntry> entries;
  std::map<std::string, std::string> metadata;
  metadata["imu2music.recording"] = "1";
  metadata["source"] = utf8(recording.source);
  metadata["format"] = utf8(recording.format);
  metadata["sensors"] = std::to_string(recording.sensors.size());
  metadata["notes"] = std::to_string(recording.notes.size());
  for (std::size_t i = 0; i < recording.notes.size(); ++i)
    metadata["note" + std::to_string(i)] = utf8(recording.notes[i]);
  for (std::size_t s = 0; s < recording.sensors.size(); ++s) {
    const SensorTrack& sensor = recording.sensors[s];
    const std::string key = "sensor" + std::to_string(s) + "/";
    metadata[key + "name"] = utf8(sensor.name);
    metadata[key + "channels"] = std::to_string(sensor.channels.size());
    metadata[key + "start_s"] = number_text(sensor.clock.start_s);
    metadata[key + "rate_hz"] = number_text(sensor.clock.rate_hz);
    std::string resets;
    for (const ClockReset& reset : sensor.clock.resets)
      resets += (resets.empty() ? "" : " ") + std::to_string(reset.sample) + ":" + number_text(reset.back_s);
    metadata[key + "resets"] = resets;
    for (std::size_t c = 0; c < sensor.channels.size(); ++c) {
      const Channel& channel = sensor.channels[c];
      const std::string name = key + "channel" + std::to_string(c);
      metadata[name] = to_string(channel.quantity);
      metadata[name + "/unit"] = unit_of(channel.quantity);
      entries.push_back({name, Dtype::f32, Shape{axis_count(channel.quantity), channel.sample_count()},
                         reinterpret_cast<const std::byte*>(channel.samples.data()),
                         static_cast<std::int64_t>(channel.samples.size() * sizeof(float))});
    }
    const std::vector<double>& times = sensor.clock.times_s;
    if (!times.empty())
      entries.push_back({key + "times", Dtype::f64, Shape{static_cast<std::int64_t>(times.size())},
                         reinterpret_cast<const std::byte*>(times.data()),
                         static_cast<std::int64_t>(times.size() * sizeof(double))});
  }
  write_safetensors(path, entries, metadata);
}

inline Recording read_recording_file(const std::string& path) {
  const TensorFile file = read_safetensors(path);
  const recording_file_detail::Metadata metadata(file);
  if (metadata.text("imu2music.recording") != "1")
    metadata.fail("is a recording of form " + in_quotes(metadata.text("imu2music.recording")) +
                  ", of which only 1 is known");
  Recording recording;
  recording.source = metadata.shown("source");
  recording.format = metadata.shown("format");
  for (std::size_t i = 0; i < metadata.count("notes"); ++i)
    recording.notes.push_back(metadata.shown("note" + std::to_string(i)));
  for (std::size_t s = 0; s < metadata.count("sensors"); ++s) {
    const std::string key = "sensor" + std::to_string(s) + "/";
    SensorTrack sensor;
    sensor.name = metadata.shown(key + "name");
    sensor.clock.start_s = metadata.number(key + "start_s");
    sensor.clock.rate_hz = metadata.number(key + "rate_hz");
    std::string_view resets = metadata.text(key + "resets");
    sensor.clock.resets.reserve(static_cast<std::size_t>(std::count(resets.begin(), resets.end(), ':')));
    while (!resets.empty()) {
      const std::string_view one = resets.substr(0, resets.find(' '));
      const std::size_t colon = one.find(':');
      if (colon == std::string_view::npos)
        metadata.fail("has " + in_quotes(one) + " among the resets of a clock");
      const double sample = metadata.number_in(one.substr(0, colon), key + "resets");
      const double back_s = metadata.number_in(one.substr(colon + 1), key + "resets");
      if (!(sample >= 0 && sample < 1e15) || !std::isfinite(back_s))
        metadata.fail("has " + in_quotes(one) + " among the resets of a clock");
      sensor.clock.resets.push_back({static_cast<std::int64_t>(sample), back_s});
      resets.remove_prefix(std::min(one.size() + 1, resets.size()));
    }
    for (std::size_t c = 0; c < metadata.count(key + "channels"); ++c) {
      const std::string name = key + "channel" + std::to_string(c);
      Channel channel;
      bool known = false;
      for (const Quantity quantity : recording_file_detail::quantities)
        if (to_string(quantity) == metadata.text(name)) {
          channel.quantity = quantity;
          known = true;
        }
      if (!known) metadata.fail("holds the unknown quantity " + in_quotes(metadata.text(name)));
      const TensorEntry* entry = file.find(name);
      if (entry == nullptr || entry->dtype != Dtype::f32 || entry->shape.rank() != 2 ||
          entry->shape[0] != axis_count(channel.quantity))
        metadata.fail("has no tensor " + in_quotes(name) + " of F32 and " +
                      std::to_string(axis_count(channel.quantity)) + " axes");
      channel.samples = values_of<float>(*entry);
      sensor.channels.push_back(std::move(channel));
    }
    if (const TensorEntry* times = file.find(key + "times")) sensor.clock.times_s = values_of<double>(*times);
    for (const ClockReset& reset : sensor.clock.resets)
      if (reset.sample >= sensor.sample_count())
        metadata.fail("has a clock that is reset at sample " + std::to_string(reset.sample) + " of " +
                      std::to_string(sensor.sample_count()));
    recording.sensors.push_back(std::move(sensor));
  }
  try {
    check_recording(recording);
  } catch (const ShapeError& error) {
    metadata.fail(std::string("contradicts itself: ") + error.what());
  }
  return recording;
}

}  // namespace imu2music::inline v0
