// Reads any table whose column names say what its columns are (the rules stand in docs/formats.md):
//
//   time_s,left_acc_x_g,left_acc_y_g,left_acc_z_g,left_gyro_x_dps,…,right_acc_x_g,…
//
//   name = [sensor] quantity axis [unit], in any case, the parts separated by _ . - or space; the unit as a
//   last part or in (…) or […]
//
//   quantity  acceleration: acc accel acceleration accelerometer a
//             angular velocity: gyro gyr gyroscope g w omega angular velocity
//             rotation: euler rot rotation, or roll, pitch, yaw, which are axes
//             orientation: quat quaternion orientation q
//   axis      x y z, of quaternions also w, or q0 (w) q1 q2 q3; it may cling to the quantity: ax, gyroZ; it
//             may stand alone with a unit that tells the quantity: X (rad/s), but not X (g)
//   unit      g mg ms2 m/s^2 m/s² · dps mdps deg/s rads rad/s · rad deg · s ms us ns
//   time      t time timestamp seconds seconds_elapsed elapsed, with a unit; seconds alone and ms, us, ns too
//
// What comes before the quantity names the sensor ("imu" where nothing does). A quantity needs all its axes
// and a unit, in its names or, where they have none that is known, in CsvUnits; quaternions need none. t,
// time, seconds and seconds_elapsed that name no unit have that of CsvUnits::time, or are seconds where it is
// empty. Linear, free, user and uncalibrated acceleration, gravity, magnetic field, norms and all else are
// left out and told in Recording::notes. Without a time column, CsvUnits::rate_hz gives the rate.
//
// Errors: those of read_csv_recording(); InputError where nothing is found, an axis or unit is missing, a
// unit is none of its quantity, or the rows are of several sensors, as a column "device" or the like says.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

// Units for columns that name none. Empty: the file must name them, but time may be told by its name alone.
struct CsvUnits {
  std::string acceleration, angular_velocity, rotation, time;
  double rate_hz = 0;  // of a file without a time column; 0: it must have one
};

namespace csv_detail {

// What one unit of `quantity` is in SI; nothing where it is none of that quantity.
inline std::optional<double> unit_scale(Quantity quantity, std::string_view unit) {
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), unit) != names.end();
  };
  switch (quantity) {
    case Quantity::acceleration:
      if (is({"g"})) return standard_gravity;
      if (is({"mg"})) return standard_gravity / 1000;
      if (is({"ms2", "ms-2", "m/s2", "m/s^2", "m/s²", "m/s\xb2", "mps2", "m/s/s", "m_s2"})) return 1.0;
      return std::nullopt;
    case Quantity::angular_velocity:
      if (is({"dps", "deg/s", "deg/sec", "degs", "°/s", "\xb0/s", "°/sec", "degrees/s"}))
        return radians_per_degree;
      if (is({"mdps"})) return radians_per_degree / 1000;
      if (is({"rads", "rad/s", "rad/sec", "radps", "rad_s"})) return 1.0;
      return std::nullopt;
    case Quantity::rotation:
      if (is({"rad", "radians"})) return 1.0;
      if (is({"deg", "°", "\xb0", "degrees"})) return radians_per_degree;
      return std::nullopt;
    default:
      return unit.empty() ? std::optional<double>(1.0) : std::nullopt;
  }
}

inline std::optional<double> time_scale(std::string_view unit) {
  if (unit == "s" || unit == "sec" || unit == "seconds") return 1.0;
  if (unit == "ms") return 1e-3;
  if (unit == "us" || unit == "µs" || unit == "\u03bcs" || unit == "\xb5s") return 1e-6;
  if (unit == "ns") return 1e-9;
  return std::nullopt;
}

inline bool is_unit(std::string_view text) {
  for (const Quantity quantity : {Quantity::acceleration, Quantity::angular_velocity, Quantity::rotation})
    if (unit_scale(quantity, text)) return true;
  return time_scale(text).has_value();
}

struct ColumnName {
  enum class Kind { other, time, value } kind = Kind::other;
  Quantity quantity = Quantity::acceleration;
  int axis = 0;
  std::string sensor, unit;
  std::string usual_unit;  // of time: what holds where neither the name nor CsvUnits tells one
  bool is_bare = false;    // an axis alone, whose unit tells the quantity
};

inline std::optional<Quantity> quantity_of(std::string_view word) {
  struct Word {
    std::string_view text;
    Quantity quantity;
  };
  static constexpr std::array<Word, 19> words = {{
      {"acc", Quantity::acceleration},
      {"accel", Quantity::acceleration},
      {"acceleration", Quantity::acceleration},
      {"accelerometer", Quantity::acceleration},
      {"a", Quantity::acceleration},
      {"gyro", Quantity::angular_velocity},
      {"gyr", Quantity::angular_velocity},
      {"gyroscope", Quantity::angular_velocity},
      {"g", Quantity::angular_velocity},
      {"w", Quantity::angular_velocity},
      {"omega", Quantity::angular_velocity},
      {"angularvelocity", Quantity::angular_velocity},
      {"euler", Quantity::rotation},
      {"rot", Quantity::rotation},
      {"rotation", Quantity::rotation},
      {"quat", Quantity::orientation},
      {"quaternion", Quantity::orientation},
      {"orientation", Quantity::orientation},
      {"q", Quantity::orientation},
  }};
  for (const Word& known : words)
    if (known.text == word) return known.quantity;
  return std::nullopt;
}

inline int axis_of(std::string_view word) {
  if (word == "x") return 0;
  if (word == "y") return 1;
  if (word == "z") return 2;
  if (word == "w") return 3;
  return -1;
}

// acc_g_x, gyro_rad_s_x, angular_velocity_dps_x: the unit before the axis. Takes it, of a quantity before it,
// from the end of `words`; empty where there is none.
inline std::string unit_at_end(std::vector<std::string>& words) {
  const auto from_end = [&](std::size_t back) -> const std::string& { return words[words.size() - back]; };
  if (words.size() < 2) return {};
  const std::size_t length = words.size() >= 3 &&
                                     (from_end(2) == "m" || from_end(2) == "rad" || from_end(2) == "deg") &&
                                     (from_end(1) == "s" || from_end(1) == "s2")
                                 ? 2
                                 : 1;
  const std::string unit = length == 2 ? from_end(2) + "/" + from_end(1) : from_end(1);
  const std::string& word = from_end(length + 1);
  const bool angular = words.size() >= length + 2 && from_end(length + 2) == "angular" && word == "velocity";
  const std::optional<Quantity> quantity = angular                         ? Quantity::angular_velocity
                                           : word.size() + unit.size() > 2 ? quantity_of(word)
                                                                           : std::nullopt;
  if (!quantity || *quantity == Quantity::orientation || !unit_scale(*quantity, unit)) return {};
  words.resize(words.size() - length);
  return unit;
}

// The quantity that a unit tells: of forces and turning only, and not for g, which is grams as well.
inline std::optional<Quantity> quantity_with(std::string_view unit) {
  if (unit_scale(Quantity::angular_velocity, unit)) return Quantity::angular_velocity;
  if (unit_scale(Quantity::acceleration, unit) && unit != "g" && unit != "mg") return Quantity::acceleration;
  return std::nullopt;
}

// Of an angular acceleration, which is in rad/s².
inline bool is_angular(const std::vector<std::string>& words) {
  return !words.empty() && (words.back() == "angular" || words.back() == "ang");
}

inline ColumnName read_column_name(std::string_view name) {
  ColumnName result;
  constexpr std::size_t longest = 200;
  if (name.size() > longest) return result;
  std::string text = lower_case(trimmed(name));
  if (!text.empty() && (text.back() == ')' || text.back() == ']')) {
    const std::size_t open = text.rfind(text.back() == ')' ? '(' : '[');
    if (open != std::string::npos) {
      result.unit = std::string(trimmed(std::string_view(text).substr(open + 1, text.size() - open - 2)));
      text.resize(open);
    }
  }
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + "_") {
    if (c != '_' && c != '.' && c != '-' && c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (result.unit.empty() && words.size() >= 2 && is_unit(words.back())) {
    result.unit = words.back();
    words.pop_back();
    // m_s2, rad_s and deg_s were cut at their stroke.
    if (words.size() >= 2 && (words.back() == "m" || words.back() == "rad" || words.back() == "deg") &&
        (result.unit == "s" || result.unit == "s2")) {
      result.unit = words.back() + "/" + result.unit;
      words.pop_back();
    }
  }
  if (words.size() >= 2 && words.back() == "s2" && words[words.size() - 2] == "m") {
    result.unit = "m/s2";
    words.resize(words.size() - 2);
  }
  if (words.empty()) return result;

  std::string joined;
  for (const std::string& part : words) joined += part;
  if (joined == "t" || joined == "time" || joined == "timestamp" || joined == "seconds" ||
      joined == "elapsed" || joined == "secondselapsed") {
    result.kind = ColumnName::Kind::time;
    if (joined != "timestamp" && joined != "elapsed") result.usual_unit = "s";
    return result;
  }
  if (joined == "ms" || joined == "us" || joined == "ns") {
    result.kind = ColumnName::Kind::time;
    result.unit = joined;
    return result;
  }

  for (const std::string& part : words)
    for (const std::string_view other : {"linear", "lin", "free", "user", "uncalibrated", "gravity", "grav",
                                         "mag", "magnetometer", "magnetic", "norm", "absolute", "abs"})
      if (part == other) return result;

  std::optional<Quantity> quantity;
  std::string last = words.back();
  words.pop_back();
  if (last == "roll" || last == "pitch" || last == "yaw") {
    quantity = Quantity::rotation;
    result.axis = last == "roll" ? 0 : last == "pitch" ? 1 : 2;
    if (result.unit.empty()) result.unit = unit_at_end(words);
    if (!words.empty() && quantity_of(words.back()) == Quantity::rotation) words.pop_back();
  } else if (last.size() == 2 && last[0] == 'q' && last[1] >= '0' && last[1] <= '3') {
    quantity = Quantity::orientation;
    result.axis = last[1] == '0' ? 3 : last[1] - '1';
    if (!words.empty() && quantity_of(words.back()) == Quantity::orientation) words.pop_back();
  } else if (axis_of(last) >= 0) {
    result.axis = axis_of(last);
    if (result.unit.empty()) result.unit = unit_at_end(words);
    if (words.empty()) {
      quantity = quantity_with(result.unit);
      result.is_bare = true;
    } else if (words.size() >= 2 && words[words.size() - 2] == "angular" && words.back() == "velocity") {
      quantity = Quantity::angular_velocity;
      words.pop_back();
    } else {
      quantity = quantity_of(words.back());
    }
    if (!words.empty()) words.pop_back();
    if (quantity == Quantity::acceleration && is_angular(words)) return result;
  } else {
    result.axis = axis_of(std::string_view(last).substr(last.size() - 1));
    const std::string_view stem = std::string_view(last).substr(0, last.size() - 1);
    if (stem == "velocity" && !words.empty() && words.back() == "angular") {
      quantity = Quantity::angular_velocity;
      words.pop_back();
    } else {
      quantity = quantity_of(stem);
    }
    if (result.axis < 0 || (quantity == Quantity::acceleration && is_angular(words))) return result;
  }
  if (!quantity || result.axis >= axis_count(*quantity)) return result;
  result.kind = ColumnName::Kind::value;
  result.quantity = *quantity;
  for (const std::string& part : words) result.sensor += (result.sensor.empty() ? "" : "_") + part;
  return result;
}

// Refuses a table whose rows are of several sensors, as a column tells: they would be taken for the samples
// of one. A column of devices does where one of at most 32 comes back after another, or the time does not
// rise from one to the next; any other that may name sensors, where the time does not rise at a third of its
// changes or, without a time column, where it changes at more than a tenth of the rows. Where no column of
// `tracks` has values under two of the names, the sensors have columns of their own.
inline void refuse_rows_of_several(const CsvTable& table, int time_column,
                                   const std::vector<CsvTrack>& tracks) {
  constexpr std::size_t most_sensors = 32;
  struct Naming {
    std::size_t column;
    bool device;
    std::vector<std::string> values;  // in the order in which they came
    std::string before;
    double time_before = 0;
    std::vector<std::size_t> owners = {};  // of each quantity's first column, the value that it was under
    std::size_t value = 0;
    std::int64_t changes = 0, unrisen = 0;
    bool comes_back = false, share_a_column = false;
  };
  std::vector<int> first_axes;
  for (const CsvTrack& track : tracks)
    for (const CsvChannel& channel : track.channels) first_axes.push_back(channel.columns.front());
  std::vector<Naming> naming;
  for (std::size_t i = 0; i < table.names().size(); ++i) {
    std::string name;
    for (const char c : lower_case(table.names()[i]))
      if (c != '_' && c != '-' && c != ' ') name += c;
    for (const std::string_view ending : {"number", "name", "id", "no"})
      if (name.size() > ending.size() && name.ends_with(ending)) {
        name.resize(name.size() - ending.size());
        if (name == "sensor" || name == "imu") name = "device";
        break;
      }
    const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
      return std::find(words.begin(), words.end(), name) != words.end();
    };
    const bool device = is_one_of({"device", "mac", "macaddress", "node", "tracker"});
    if (device || is_one_of({"id", "address", "sensor", "imu", "segment", "location", "placement", "side",
                             "limb", "hand"}))
      naming.push_back({i, device, {}, {}});
  }
  constexpr std::size_t most_columns = 16;
  if (naming.empty()) return;
  if (naming.size() > most_columns) naming.resize(most_columns);
  std::int64_t rows = 0;
  table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t) {
    ++rows;
    double time = static_cast<double>(rows);
    if (time_column >= 0 && !parse_field(fields[static_cast<std::size_t>(time_column)], time)) return;
    for (Naming& one : naming) {
      const std::string_view field = fields[one.column];
      if (field.empty() || one.values.size() > most_sensors) continue;
      if (field != one.before) {
        if (!one.before.empty()) {
          ++one.changes;
          one.unrisen += time <= one.time_before;
        }
        const auto known = std::find(one.values.begin(), one.values.end(), field);
        one.value = static_cast<std::size_t>(known - one.values.begin());
        if (known != one.values.end())
          one.comes_back = true;
        else
          one.values.emplace_back(field);
        one.before = field;
      }
      one.time_before = time;
      one.owners.resize(first_axes.size(), most_sensors + 1);
      for (std::size_t i = 0; i < first_axes.size() && !one.share_a_column; ++i) {
        if (fields[static_cast<std::size_t>(first_axes[i])].empty()) continue;
        if (one.owners[i] > most_sensors) one.owners[i] = one.value;
        one.share_a_column = one.owners[i] != one.value;
      }
    }
  });
  for (const Naming& one : naming) {
    if (!one.share_a_column || one.values.size() > most_sensors) continue;
    const bool several = one.device        ? one.comes_back || one.unrisen > 0
                         : time_column < 0 ? one.comes_back && one.changes > rows / 10
                                           : 3 * one.unrisen >= one.changes;
    if (!several) continue;
    throw InputError(table.path(),
                     "its rows are of " + std::to_string(one.values.size()) + " sensors: column " +
                         in_quotes(table.names()[one.column]) + " changes " + std::to_string(one.changes) +
                         (one.changes == 1 ? " time in " : " times in ") + std::to_string(rows) + " rows",
                     "write the rows of each sensor to a table of its own, or its columns side by side: "
                     "left_acc_x_g, right_acc_x_g");
  }
}

}  // namespace csv_detail

// `default_sensor` names the sensor of columns that name none.
inline Recording read_generic_csv(const CsvTable& table, const CsvUnits& units = {},
                                  const std::string& default_sensor = "imu",
                                  std::optional<double> origin_s = std::nullopt) {
  using csv_detail::ColumnName;
  struct Group {
    std::string sensor, unit;
    Quantity quantity;
    std::vector<int> columns;
    std::string first_name;
  };
  std::vector<Group> groups;
  std::vector<std::string> left_out;
  CsvClock clock;
  const std::vector<std::string>& names = table.names();
  std::vector<ColumnName> columns;
  for (const std::string& name : names) columns.push_back(csv_detail::read_column_name(name));
  const auto is_value = [](const ColumnName& name) { return name.kind == ColumnName::Kind::value; };
  // Axes alone are the motion of a table that names no other.
  const bool is_bare = std::none_of(columns.begin(), columns.end(),
                                    [&](const ColumnName& name) { return is_value(name) && !name.is_bare; });
  for (std::size_t i = 0; i < names.size(); ++i) {
    ColumnName name = columns[i];
    const std::string quoted = in_quotes(names[i]);
    if (name.kind == ColumnName::Kind::time) {
      if (clock.column >= 0) {  // the first one holds
        left_out.push_back(quoted);
        continue;
      }
      if (name.unit.empty()) name.unit = units.time.empty() ? name.usual_unit : units.time;
      const std::optional<double> scale = csv_detail::time_scale(name.unit);
      if (!scale)
        throw InputError(table.path(),
                         "its time column " + quoted +
                             (name.unit.empty() ? " has no unit" : " has the unit " + in_quotes(name.unit)),
                         "name it time_s, time_ms, time_us or time_ns, or give the unit of time");
      clock.column = static_cast<int>(i);
      clock.to_seconds = *scale;
      continue;
    }
    if (name.kind == ColumnName::Kind::other || (name.is_bare && !is_bare)) {
      left_out.push_back(quoted);
      continue;
    }
    if (name.sensor.empty()) name.sensor = default_sensor;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& known) {
      return known.sensor == name.sensor && known.quantity == name.quantity;
    });
    if (group == groups.end()) {
      groups.push_back({name.sensor, name.unit, name.quantity,
                        std::vector<int>(static_cast<std::size_t>(axis_count(name.quantity)), -1), quoted});
      group = groups.end() - 1;
    }
    int& place = group->columns[static_cast<std::size_t>(name.axis)];
    if (place >= 0)
      throw InputError(table.path(),
                       "has two columns for one axis: " + table.name_of(place) + " and " + quoted,
                       "name the sensor before the quantity: left_acc_x_g, right_acc_x_g");
    if (group->unit != name.unit)
      throw InputError(table.path(),
                       "columns " + group->first_name + " and " + quoted + " differ in their unit",
                       "the axes of a quantity should have one unit");
    place = static_cast<int>(i);
  }
  // A table of notes has a pitch, too, and one of anything an x.
  std::erase_if(groups, [&](const Group& group) {
    const bool lone_pitch =
        group.quantity == Quantity::rotation && group.columns[0] < 0 && group.columns[2] < 0;
    const bool lacks_axes = std::find(group.columns.begin(), group.columns.end(), -1) != group.columns.end();
    const bool is_other = lone_pitch || (is_bare && lacks_axes);
    if (is_other) left_out.push_back(group.first_name);
    return is_other;
  });
  if (groups.empty())
    throw InputError(table.path(),
                     "is a table, but no recording: none of its columns is an axis of acceleration, angular "
                     "velocity, rotation or orientation; its columns are: " +
                         table.list_of_names(),
                     "name them by quantity, axis and unit: time_s, acc_x_g, gyro_x_dps");

  std::vector<CsvTrack> tracks;
  for (const Group& group : groups) {
    const std::string what = std::string(to_string(group.quantity)) + " (" + group.first_name + ")";
    for (std::size_t axis = 0; axis < group.columns.size(); ++axis)
      if (group.columns[axis] < 0)
        throw InputError(table.path(), "lacks the " + std::string(1, "xyzw"[axis]) + " axis of its " + what,
                         "each quantity needs all its axes");
    std::string unit = group.unit;
    const std::string given = group.quantity == Quantity::acceleration       ? units.acceleration
                              : group.quantity == Quantity::angular_velocity ? units.angular_velocity
                              : group.quantity == Quantity::rotation         ? units.rotation
                                                                             : "";
    if (!csv_detail::unit_scale(group.quantity, unit) && csv_detail::is_unit(unit))
      throw InputError(table.path(), "its " + what + " has the unit " + in_quotes(unit),
                       "that is no unit of " + std::string(to_string(group.quantity)) +
                           ": name the columns by what they hold");
    if (!given.empty() && !csv_detail::unit_scale(group.quantity, unit)) unit = given;
    const std::optional<double> scale = csv_detail::unit_scale(group.quantity, unit);
    if (!scale)
      throw InputError(table.path(),
                       "its " + what + (unit.empty() ? " has no unit" : " has the unit " + in_quotes(unit)),
                       group.quantity == Quantity::acceleration
                           ? "name the unit in the columns (_g or _ms2) or give it (--units acceleration=g)"
                       : group.quantity == Quantity::angular_velocity
                           ? "name the unit in the columns (_dps or _rads) or give it (--units gyro=dps)"
                       : group.quantity == Quantity::rotation
                           ? "name the unit in the columns (_rad or _deg) or give it (--units rotation=deg)"
                           : "quaternions have no unit");
    auto track = std::find_if(tracks.begin(), tracks.end(),
                              [&](const CsvTrack& known) { return known.name == group.sensor; });
    if (track == tracks.end()) {
      tracks.push_back({group.sensor, {}});
      track = tracks.end() - 1;
    }
    track->channels.push_back({group.quantity, group.columns, *scale});
  }
  if (clock.column < 0) {
    if (!(units.rate_hz > 0) || !(units.rate_hz <= 100000))
      throw InputError(table.path(), "has no time column",
                       "name it time_s or time_ms, or give the rate (--rate 100)");
    clock.rate_hz = units.rate_hz;
  }
  clock.origin_s = origin_s;
  csv_detail::refuse_rows_of_several(table, clock.column, tracks);
  Recording recording = read_csv_recording(table, clock, tracks);
  recording.rate_was_given = clock.column < 0;
  if (!left_out.empty()) {
    std::string note = "left out: ";
    for (std::size_t i = 0; i < left_out.size() && i < 20; ++i) note += (i == 0 ? "" : ", ") + left_out[i];
    recording.notes.push_back(note + (left_out.size() > 20 ? ", ..." : ""));
  }
  return recording;
}

}  // namespace imu2music::inline v0
