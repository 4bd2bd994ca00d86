// simulate: the motion of a violinist's two forearms who bows a score, without its percussion.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "imu2music/imu/repovizz_layout.hpp"
#include "imu2music/imu/repovizz_writer.hpp"
#include "imu2music/imu/virtual_violinist.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/music/midi_file.hpp"

namespace {

struct SimulateOptions {
  CommonOptions common;
  std::string score, output;
  std::uint64_t seed = 0;
};

// Beside the signals; they may be replaced where it is, and so no real recording ever is.
constexpr const char* simulated_marker = "SIMULATED";

void check_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code fault;
  if (!fs::is_directory(folder, fault)) return;
  const bool is_empty = fs::is_empty(folder, fault);
  if (fault) imu2music::throw_unreadable(folder, "opendir", fault.value());
  if (is_empty) return;
  if (!fs::exists(fs::path(folder) / simulated_marker, fault))
    throw imu2music::InputError(folder, "holds files that were not simulated",
                                "choose a new or empty folder");
}

// What is called as a signal is called would be replaced by one.
void check_score(const std::string& score, const std::string& folder) {
  const std::filesystem::path file = destination(score);
  const std::string name = file.filename().string();
  if (file.parent_path() == destination(folder) &&
      (name == simulated_marker || imu2music::parse_repovizz_file_name(name)))
    throw imu2music::InputError(score, "lies in the folder to write, under the name of a signal",
                                "choose another folder");
}

void run_simulate(const SimulateOptions& options) {
  using namespace imu2music;
  const MidiFile score = read_midi_file(options.score);
  const std::vector<Note> notes = score.pitched_notes();
  const std::size_t percussion = score.all_notes().size() - notes.size();
  if (notes.empty())
    throw InputError(options.score, percussion > 0 ? "holds no note but percussion" : "has no notes",
                     "use a score with at least one note for the violin");
  check_folder(options.output);
  check_score(options.score, options.output);
  if (percussion > 0)
    std::fprintf(stderr, "imu2music: %s: left out: percussion, %zu notes\n", options.score.c_str(),
                 percussion);
  VirtualViolinistOptions violinist;
  violinist.seed = options.seed;
  const Recording recording = [&] {
    try {
      return simulate_violinist(notes, violinist);
    } catch (const InputError& error) {  // of the notes, whose file it does not know
      const std::string message = error.what(), stand_in = "score";
      throw InputError(message.rfind(stand_in + ": ", 0) == 0
                           ? options.score + message.substr(stand_in.size())
                           : options.score + ": " + message);
    }
  }();
  write_repovizz(recording, options.output);
  AtomicFile marker(options.output + "/" + simulated_marker);
  marker.write("The signals in this folder were simulated from a score; nobody moved.\n");
  marker.commit();
  const SensorTrack& sensor = recording.sensors.front();
  if (options.common.json) {
    nlohmann::ordered_json sensors = nlohmann::ordered_json::array();
    for (const SensorTrack& track : recording.sensors) sensors.push_back(track.name);
    print_json({{"output", options.output},
                {"score", options.score},
                {"seed", options.seed},
                {"notes", notes.size()},
                {"simulated", true},
                {"sensors", sensors},
                {"rate_hz", sensor.clock.rate_hz},
                {"duration_s", sensor.duration_s()}});
  } else {
    print_text(options.output + ": simulated motion of two forearms bowing " + std::to_string(notes.size()) +
               " notes, " + figure(sensor.duration_s()) + " s at " + figure(sensor.clock.rate_hz) +
               " Hz, seed " + std::to_string(options.seed) + "\n");
  }
}

}  // namespace

void add_simulate_command(CLI::App& program) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command =
      program.add_subcommand("simulate", "Simulate a violinist's forearms bowing a score, as a recording");
  command->add_option("SCORE.mid", options->score, "The score (Standard MIDI File)")
      ->required()
      ->check(given());
  command->add_option("-o,--output", options->output, "Folder to write, in the RepoVizz layout")
      ->required()
      ->check(given());
  command->add_option("--seed", options->seed, "Seed of bias and noise (default 0)")
      ->transform(seed_number());
  add_common_options(*command, options->common);
  command->callback([options] { run_simulate(*options); });
}
