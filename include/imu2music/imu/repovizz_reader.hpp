// Reads a recording in the RepoVizz layout (file names: repovizz_layout.hpp).
//
// A signal file has two lines:
//   repovizz,framerate=25.0,minval=-83.451400,maxval=86.236100
//   31.861100,22.923600,…,-3.638900,
// Line 1 is the header; minval and maxval are read but not relied on. Line 2 holds the samples, a comma after
// the last one allowed. Numbers are those of the C locale. Values become SI units (degrees/s → rad/s) in
// double before they are rounded to float.
//
// read_repovizz(path) takes
//   - the folder of a raw take, or a folder of processed files that holds one take;
//   - folder/<take>, where a folder of processed files holds several;
//   - a folder with exactly one take somewhere below it, at most three folders down.
// Sensors come sorted by name, quantities in the order rotation, angular velocity, acceleration. Files of
// other quantities are left out and listed in Recording::notes.
//
// Cost: one pass over each file; memory 4 bytes a sample beyond the text of one file.
// Errors: InputError with file, fault and remedy: no or several takes; a missing axis; a header that is not
// as above; a frame rate that is missing or outside 1 … 100000 Hz; text, nothing, NaN or infinity in place of
// a number; no samples; rates or lengths that differ between the axes of a sensor.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/repovizz_layout.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct RepovizzSignal {
  double framerate = 0;                                      // Hz
  double minval = std::numeric_limits<double>::quiet_NaN();  // as the header claims; NaN where it does not
  double maxval = std::numeric_limits<double>::quiet_NaN();
  std::vector<float> values;  // scaled
};

namespace repovizz_detail {

inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// Cuts what stands before `separator` off the front of `rest`.
inline std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view head = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return head;
}

}  // namespace repovizz_detail

// One signal file's text, each value times `scale`. `path` serves the messages only.
inline RepovizzSignal parse_repovizz_signal(std::string_view text, const std::string& path,
                                            double scale = 1.0) {
  using repovizz_detail::take_until;
  using repovizz_detail::trimmed;
  const std::string example = "line 1 should read repovizz,framerate=25.0,minval=…,maxval=…";

  if (trimmed(text).empty()) throw InputError(path, "is empty", example);
  std::string_view rest = text;
  std::string_view header = trimmed(take_until(rest, '\n'));
  const std::string_view tag = trimmed(take_until(header, ','));
  if (tag != "repovizz")
    throw InputError(path, "is no RepoVizz signal: it begins with " + in_quotes(tag), example);

  RepovizzSignal signal;
  bool has_framerate = false;
  while (!header.empty()) {
    const std::string_view field = trimmed(take_until(header, ','));
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos)
      throw InputError(path, "has " + in_quotes(field) + " in its header, which is no name=value", example);
    const std::string_view name = trimmed(field.substr(0, equals));
    const std::string_view value = trimmed(field.substr(equals + 1));
    if (name == "framerate") {
      if (!parse_number(value, signal.framerate) || signal.framerate < 1.0 || signal.framerate > 100000.0)
        throw InputError(path, "has framerate=" + in_quotes(value),
                         "it should be samples per second, from 1 to 100000");
      has_framerate = true;
    } else if (name == "minval" || name == "maxval") {
      if (!parse_number(value, name == "minval" ? signal.minval : signal.maxval))
        throw InputError(path, "has " + std::string(name) + "=" + in_quotes(value), "it should be a number");
    }
  }
  if (!has_framerate) throw InputError(path, "has no framerate in its header", example);

  std::string_view values = trimmed(take_until(rest, '\n'));
  if (values.empty() || values == ",")
    throw InputError(path, "holds no samples", "line 2 should hold them, separated by commas");
  if (values.back() == ',') values.remove_suffix(1);
  while (!rest.empty()) {
    const std::string_view extra = trimmed(take_until(rest, '\n'));
    if (!extra.empty())
      throw InputError(path, "goes on after line 2 with " + in_quotes(extra),
                       "all samples should stand on line 2");
  }

  constexpr double float_limit = 0x1.ffffffp127;  // from here on a double rounds to an infinite float
  signal.values.reserve(static_cast<std::size_t>(std::count(values.begin(), values.end(), ',')) + 1);
  bool more = true;
  while (more) {
    more = values.find(',') != std::string_view::npos;
    const std::string_view field = trimmed(take_until(values, ','));
    double value = 0;
    const bool good = parse_number(field, value);
    value *= scale;
    if (!good || !(std::abs(value) < float_limit)) {
      const std::string where = "value " + std::to_string(signal.values.size() + 1) + " (line 2) is ";
      throw InputError(path, where + (field.empty() ? "empty" : in_quotes(field)),
                       "every value should be a finite number such as -3.702373");
    }
    signal.values.push_back(static_cast<float>(value));
  }
  return signal;
}

namespace repovizz_detail {

struct FolderListing {
  std::vector<RepovizzFileName> files;  // both sorted by name
  std::vector<std::string> folders;
};

inline FolderListing list_folder(const std::string& folder) {
  FolderEntries entries = list_entries(folder);
  FolderListing listing;
  listing.folders = std::move(entries.folders);
  for (const std::string& name : entries.files)
    if (auto signal = parse_repovizz_file_name(name)) listing.files.push_back(std::move(*signal));
  return listing;
}

struct Take {
  std::string folder;
  std::string path;  // what a user would give to choose it
  std::vector<RepovizzFileName> files;
};

// The takes whose files lie in the folder itself. Names of this layout with no quantity that we know make no
// take.
inline std::vector<Take> takes_in(const std::string& folder, const FolderListing& listing) {
  std::vector<Take> takes;
  for (const RepovizzFileName& signal : listing.files) {
    const std::string path = signal.is_raw ? folder : join_path(folder, signal.take);
    auto found =
        std::find_if(takes.begin(), takes.end(), [&](const Take& take) { return take.path == path; });
    if (found == takes.end()) found = takes.insert(takes.end(), Take{folder, path, {}});
    found->files.push_back(signal);
  }
  std::erase_if(takes, [](const Take& take) {
    return std::none_of(take.files.begin(), take.files.end(),
                        [](const RepovizzFileName& signal) { return signal.quantity() != nullptr; });
  });
  return takes;
}

inline constexpr std::size_t most_takes_listed = 20;

inline void find_takes(const std::string& folder, int depth, std::vector<Take>& takes) {
  FolderListing listing = list_folder(folder);
  std::vector<Take> here = takes_in(folder, listing);
  if (!here.empty()) {
    for (Take& take : here) takes.push_back(std::move(take));
    return;
  }
  if (depth == 0) return;
  for (const std::string& name : listing.folders) {
    if (takes.size() > most_takes_listed) return;
    find_takes(join_path(folder, name), depth - 1, takes);
  }
}

// "raw/27_take, processed/27_take", seen from `folder`.
inline std::string list_of(const std::vector<Take>& takes, const std::string& folder) {
  std::string text;
  for (std::size_t i = 0; i < takes.size() && i < most_takes_listed; ++i) {
    std::string_view name = takes[i].path;
    if (name.starts_with(folder) && name.size() > folder.size()) name.remove_prefix(folder.size());
    while (name.size() > 1 && name.front() == '/') name.remove_prefix(1);
    text += (i == 0 ? "" : ", ") + std::string(name);
  }
  return takes.size() > most_takes_listed ? text + ", …" : text;
}

inline Take choose_take(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty()) throw InputError("''", "an empty path", "name the folder of a recording");
  if (path.find('\0') != std::string::npos)
    throw InputError(path.c_str(), "a zero byte in the path", "name a folder");

  if (is_folder(path)) {
    std::vector<Take> takes;
    find_takes(path, 3, takes);
    if (takes.empty())
      throw InputError(
          path, "holds no recording that is known",
          "of a recording that is one file, name the file; 'imu2music inspect' of the folder tells what its "
          "files are");
    if (takes.size() > 1)
      throw InputError(path, "holds several recordings: " + list_of(takes, path),
                       "choose one of them, for example " + takes.front().path);
    return std::move(takes.front());
  }

  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0)
    throw InputError(path, parse_repovizz_file_name(name) ? "is one axis of a recording" : "is a file",
                     "name the recording's folder: " + folder);
  if (!is_folder(folder)) throw InputError(path, "there is no such recording", "check the path");
  std::vector<Take> takes = takes_in(folder, list_folder(folder));
  std::erase_if(takes, [](const Take& take) { return take.files.front().is_raw; });
  for (Take& take : takes)
    if (take.files.front().take == name) return std::move(take);
  throw InputError(path, "there is no such recording",
                   takes.empty() ? "check the path" : "its folder holds: " + list_of(takes, folder));
}

}  // namespace repovizz_detail

inline Recording read_repovizz(const std::string& path) {
  namespace detail = repovizz_detail;
  const detail::Take take = detail::choose_take(path);

  Recording recording;
  recording.source = path;
  std::vector<std::string> sensor_names;
  std::vector<std::string> unknown;
  for (const RepovizzFileName& signal : take.files)
    (signal.quantity() != nullptr ? sensor_names : unknown)
        .push_back(signal.quantity() != nullptr ? signal.sensor : signal.quantity_name);
  for (std::vector<std::string>* names : {&sensor_names, &unknown}) {
    std::sort(names->begin(), names->end());
    names->erase(std::unique(names->begin(), names->end()), names->end());
  }
  for (const std::string& name : unknown)
    recording.notes.push_back("left out: " + in_quotes(name) + ", a quantity that is not used");

  for (const std::string& sensor_name : sensor_names) {
    SensorTrack sensor;
    sensor.name = sensor_name;
    std::string first_path;  // of the sensor's first file: the one that the others must agree with
    std::int64_t n = 0;
    for (const RepovizzQuantity& known : repovizz_quantities) {
      std::array<const RepovizzFileName*, 3> axes{};
      for (const RepovizzFileName& signal : take.files) {
        if (signal.sensor != sensor_name || signal.quantity() != &known) continue;
        const RepovizzFileName*& place = axes[static_cast<std::size_t>(signal.axis)];
        if (place != nullptr)
          throw InputError(take.folder, "holds two files of one axis: " + place->name + " and " + signal.name,
                           "keep one take in a folder");
        place = &signal;
      }
      const auto present =
          std::find_if(axes.begin(), axes.end(), [](const auto* axis) { return axis != nullptr; });
      if (present == axes.end()) continue;

      Channel channel;
      channel.quantity = known.quantity;
      for (int axis = 0; axis < 3; ++axis) {
        const RepovizzFileName* file = axes[static_cast<std::size_t>(axis)];
        if (file == nullptr)
          throw InputError(join_path(take.folder, (*present)->sibling(axis)),
                           "this axis file is missing beside " + (*present)->name,
                           "a recording needs x, y and z of each quantity");
        const std::string file_path = join_path(take.folder, file->name);
        const RepovizzSignal signal =
            parse_repovizz_signal(read_text_file(file_path), file_path, known.to_si);
        const auto count = static_cast<std::int64_t>(signal.values.size());
        if (first_path.empty()) {
          first_path = file_path;
          n = count;
          sensor.clock.rate_hz = signal.framerate;
        }
        if (signal.framerate != sensor.clock.rate_hz)
          throw InputError(file_path,
                           "has framerate " + number_text(signal.framerate) + " Hz, but " + first_path +
                               " has " + number_text(sensor.clock.rate_hz) + " Hz",
                           "all axes of a sensor should have one rate");
        if (count != n)
          throw InputError(
              file_path,
              "has " + std::to_string(count) + " samples, but " + first_path + " has " + std::to_string(n),
              "all axes of a sensor should have one length");
        channel.samples.insert(channel.samples.end(), signal.values.begin(), signal.values.end());
      }
      sensor.channels.push_back(std::move(channel));
    }
    recording.sensors.push_back(std::move(sensor));
  }
  return recording;
}

}  // namespace imu2music::inline v0
