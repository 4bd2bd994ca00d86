// features: the reference features of six seconds of a recording.
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "command.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/io/safetensors.hpp"
#include "recording_options.hpp"

namespace {

struct FeaturesOptions {
  CommonOptions common;
  RecordingOptions recording_options;
  std::string recording, output;
  std::int64_t start_frame = 0;
};

void run_features(const FeaturesOptions& options) {
  using namespace imu2music;
  check_outputs({options.output}, {options.recording});
  check_ending(options.output, "safetensors");
  const Recording motion =
      at_rate(open_armbands(options.recording, options.recording_options), reference_rate_hz);
  const std::int64_t frames = reference_window_frames;
  std::vector<float> features(static_cast<std::size_t>(2 * 3 * frames));
  reference_features(motion, options.start_frame, frames, features);
  const std::map<std::string, std::string> metadata = {{"start_frame", std::to_string(options.start_frame)},
                                                       {"frames", std::to_string(frames)},
                                                       {"rate_hz", number_text(reference_rate_hz)},
                                                       {"order", "Rotation,gyro,acceleration"}};
  const std::array<TensorEntry, 1> entries = {TensorEntry{
      "features", Dtype::f32, Shape{2, 3, frames}, reinterpret_cast<const std::byte*>(features.data()),
      static_cast<std::int64_t>(features.size() * sizeof(float))}};
  write_safetensors(options.output, entries, metadata);
  if (options.common.json)
    print_json({{"output", options.output},
                {"recording", options.recording},
                {"shape", {2, 3, frames}},
                {"start_frame", options.start_frame},
                {"recording_frames", reference_frame_count(motion)}});
  else
    print_text(options.output + ": features (2, 3, " + std::to_string(frames) + ") from frame " +
               std::to_string(options.start_frame) + " of " + std::to_string(reference_frame_count(motion)) +
               "\n");
}

}  // namespace

void add_features_command(CLI::App& program) {
  auto options = std::make_shared<FeaturesOptions>();
  CLI::App* command =
      program.add_subcommand("features", "Write the reference features of 6 s of a recording");
  command->add_option("RECORDING", options->recording, "A recording of motion: a file or folder")
      ->required()
      ->check(given());
  command->add_option("--start-frame", options->start_frame, "First frame, at 25 Hz (default 0)")
      ->transform(whole_number(0));
  command->add_option("-o,--output", options->output, "File to write (safetensors)")
      ->required()
      ->check(given());
  command->add_option("--sensors", options->recording_options.sensors, armbands_help)->check(given());
  add_recording_options(*command, options->recording_options);
  add_common_options(*command, options->common);
  command->callback([options] { run_features(*options); });
}
