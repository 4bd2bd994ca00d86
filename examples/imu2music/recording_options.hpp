// How the commands of the program read a recording: options for what a file does not tell, sensors by the
// names that weights want, and what is wrong with the recording told on standard error.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>

#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/io/model_config.hpp"

struct RecordingOptions {
  std::string sensors, units;
  double rate_hz = 0;
};

// What --sensors is, in the help of the command for armbands alone, and of the others.
inline constexpr const char* armbands_help =
    "Which sensor stands for which: myo1=NAME,myo2=NAME; one may stand for both";
inline constexpr const char* sensors_help =
    "Which sensor stands for which: myo1=NAME,myo2=NAME; one may stand for both. For weights of other "
    "sensors, which come first: 1=NAME,2=NAME";

// Adds --units and --rate.
void add_recording_options(CLI::App& command, RecordingOptions& options);

// What `sensors`, the option --sensors, says for weights of that config; empty where it was not given. Throws
// InputError where such weights take others, another number or none.
std::vector<imu2music::SensorMapEntry> sensor_map_for(const imu2music::ModelConfig& config,
                                                      const std::string& sensors);

// Throws InputError for units that are not as the option's help says.
imu2music::ReadOptions read_options(const RecordingOptions& options);

// Says on standard error that --rate, `rate_hz`, was not used, where it was given (above 0) and the recording
// has a clock of its own with another rate.
void tell_unused_rate(const std::string& path, const imu2music::Recording& recording, double rate_hz);

// The recording, its sensors mapped, for weights that want what the reference's features are computed from:
// armbands myo1 and myo2, each with rotation, angular velocity and acceleration. Throws InputError, in one
// line that says all that is missing and how to map sensors, where it has them not, or where sensors are
// mapped to others. What diagnose() finds in the sensors that are used goes to standard error, a line each.
// Where a sensor has time stamps or lacks values, or they begin at different times, all come back at 25 Hz,
// from where all have begun, and through what they were held is told, too.
imu2music::Recording open_armbands(const std::string& path, const RecordingOptions& options);

// The recording for weights whose encoder is temporal: the sensors and quantities that the config names, in
// the recording's order or that of --sensors, which has to name as many, whatever names the map gives them.
// What is wrong is told in the same way; uneven clocks, missing values and uneven beginnings come back at the
// config's rate.
imu2music::Recording open_sensors(const std::string& path, const RecordingOptions& options,
                                  const imu2music::ModelConfig& config);

// The recording for weights whose encoder is of keypoints, as it was read. Throws InputError where it lacks
// those of the config's layout; what its reader noted goes to standard error.
imu2music::Recording open_keypoints(const std::string& path, const RecordingOptions& options,
                                    const imu2music::ModelConfig& config);
