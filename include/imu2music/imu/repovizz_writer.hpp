// Writes a recording in the raw RepoVizz layout (repovizz_layout.hpp, repovizz_reader.hpp): one file an axis,
// <folder>/00_<sensor>_<quantity>__<axis>.csv.
//
// Values are converted from SI units in double and printed with nine significant digits, whose relative
// rounding error (5·10⁻⁹) is below half a unit in the last place of a float (3·10⁻⁸): read_repovizz() gives
// the same floats back.
//
// The folder is made where it is missing. All files are written beside their places and renamed at the end,
// so that a failure leaves none of them half-written. A recording's start time has no place in this layout:
// it reads back as 0.
//
// Errors: InputError for what the layout cannot hold (orientation, a clock that is not uniform or has a rate
// outside 1 … 100000 Hz, no samples, NaN or infinity, a sensor name that is no file name), for a folder that
// cannot be written, or into which another program writes, and for one that holds files of another recording,
// which would be read as part of this one. ShapeError where the recording contradicts itself.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/repovizz_layout.hpp"
#include "imu2music/imu/repovizz_reader.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/folder_lock.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

namespace repovizz_detail {

inline void append_value(std::string& text, double value) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 9);
  text.append(digits, result.ptr);
}

inline std::string signal_text(std::span<const float> samples, double rate_hz, double scale) {
  std::string values;
  values.reserve(samples.size() * 12);
  double least = std::numeric_limits<double>::infinity();
  double greatest = -least;
  for (const float sample : samples) {
    const double value = static_cast<double>(sample) * scale;
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    append_value(values, value);
    values += ',';
  }
  const std::string rate = number_text(rate_hz);
  std::string text = "repovizz,framerate=" + rate;
  if (rate.find_first_of(".e") == std::string::npos) text += ".0";
  text += ",minval=";
  append_value(text, least);
  text += ",maxval=";
  append_value(text, greatest);
  text += '\n';
  values.back() = '\n';
  return text + values;
}

inline void make_folders(const std::string& folder) {
  for (std::size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const std::string part = folder.substr(0, end);
    if (!is_folder(part) && ::mkdir(part.c_str(), 0777) != 0) {
      const int code = errno;
      if (!is_folder(part))
        throw InputError(part, std::string("this folder cannot be made (") + std::strerror(code) + ")",
                         "choose a writable place");
    }
    if (end == std::string::npos) return;
  }
}

}  // namespace repovizz_detail

inline void write_repovizz(const Recording& recording, const std::string& folder) {
  namespace detail = repovizz_detail;
  check_recording(recording);
  if (folder.empty()) throw InputError("''", "an empty folder name", "name the folder to write");
  if (recording.sensors.empty())
    throw InputError(folder, "the recording to write has no sensors", "record one");

  struct Output {
    std::string name;
    std::string text;
  };
  std::vector<Output> outputs;
  for (const SensorTrack& sensor : recording.sensors) {
    const auto refuse = [&](const std::string& fault, const std::string& remedy) {
      throw InputError(folder, "the sensor " + in_quotes(sensor.name) + " to write " + fault, remedy);
    };
    const bool is_name =
        !sensor.name.empty() && std::all_of(sensor.name.begin(), sensor.name.end(), [](char c) {
          return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                 c == '.';
        });
    if (!is_name) refuse("cannot be part of a file name", "use letters, digits, '-' and '.'");
    if (!sensor.clock.is_uniform()) refuse("has time stamps, the layout only a rate", "resample it first");
    if (sensor.clock.rate_hz < 1 || sensor.clock.rate_hz > 100000)
      refuse("has a rate of " + number_text(sensor.clock.rate_hz) + " Hz", "it should be from 1 to 100000");
    if (sensor.sample_count() == 0) refuse("has no samples", "record some");
    for (const Channel& channel : sensor.channels) {
      const auto known =
          std::find_if(repovizz_quantities.begin(), repovizz_quantities.end(),
                       [&](const auto& quantity) { return quantity.quantity == channel.quantity; });
      if (known == repovizz_quantities.end())
        refuse("has " + std::string(to_string(channel.quantity)) + ", for which the layout has no place",
               "leave it out");
      for (int axis = 0; axis < 3; ++axis) {
        const std::string name = "00_" + sensor.name + "_" + std::string(known->name) + "__" +
                                 repovizz_axes[static_cast<std::size_t>(axis)] + ".csv";
        const std::span<const float> samples = channel.axis(axis);
        if (!std::all_of(samples.begin(), samples.end(), [](float value) { return std::isfinite(value); }))
          refuse("has a value in " + name + " that is no finite number", "remove it first");
        if (std::any_of(outputs.begin(), outputs.end(),
                        [&](const Output& output) { return output.name == name; }))
          refuse("would write " + name + " twice", "give each sensor one name, and each quantity once");
        outputs.push_back({name, detail::signal_text(samples, sensor.clock.rate_hz, 1.0 / known->to_si)});
      }
    }
  }

  detail::make_folders(folder);
  const FolderLock lock(folder, "another program");  // or the files of two recordings would mix
  for (const RepovizzFileName& present : detail::list_folder(folder).files)
    if (present.quantity() != nullptr &&
        std::none_of(outputs.begin(), outputs.end(),
                     [&](const Output& output) { return output.name == present.name; }))
      throw InputError(folder, "holds " + present.name + " of another recording", "choose an empty folder");

  std::deque<AtomicFile> files;
  for (const Output& output : outputs) {
    AtomicFile& file = files.emplace_back(join_path(folder, output.name));
    file.write(output.text);
    file.flush();  // a full disk is met before the first of an older recording's files is replaced
  }
  commit_all(files);
}

}  // namespace imu2music::inline v0
