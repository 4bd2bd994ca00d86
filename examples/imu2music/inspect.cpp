// inspect: what a file or folder holds: weights, a recording, music.
//
// A folder that is a recording, a data set or a training run is told as one; of any other, every file in it
// and, four folders deep, below it. A file there that cannot be read is told in its line, and the command
// goes on and ends with exit status 1.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/io/file_kind.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/weights_file.hpp"
#include "imu2music/io/zip_archive.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/midi_file.hpp"
#include "imu2music/train/checkpoint.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/training_config.hpp"
#include "imu2music/train/weights_split.hpp"
#include "recording_options.hpp"
#include "training_log.hpp"

namespace {

using namespace imu2music;
using Json = nlohmann::ordered_json;

struct InspectOptions {
  CommonOptions common;
  RecordingOptions recording;
  std::string path;
};

// What was found in one file, in both forms.
struct Report {
  Json json;
  std::string line;            // for the list of a folder
  std::string details;         // further lines, each ended
  std::size_t unreadable = 0;  // files in it that cannot be read
};

std::string seconds(double value) { return number_text(std::round(value * 1000) / 1000) + " s"; }
std::string hertz(double value) { return number_text(std::round(value * 100) / 100) + " Hz"; }
std::string percent(double share) { return number_text(std::round(share * 1000) / 10) + " %"; }

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json entry = {{"sensor", finding.sensor}, {"time_s", finding.time_s}, {"length_s", finding.length_s}};
    if (finding.quantity) entry["quantity"] = to_string(*finding.quantity);
    if (finding.axis >= 0) {
      entry["axis"] = std::string(1, "xyzw"[finding.axis]);
      entry["value"] = finding.value;
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Report report_recording(const std::string& path, const ReadOptions& options) {
  const Recording recording = read_recording(path, options);
  tell_unused_rate(path, recording, options.units.rate_hz);
  const Diagnosis diagnosis = diagnose(recording);
  Report report;
  Json sensors = Json::array();
  Json units = Json::object();
  for (std::size_t i = 0; i < diagnosis.sensors.size(); ++i) {
    const SensorDiagnosis& sensor = diagnosis.sensors[i];
    Json channels = Json::array();
    std::string quantities;
    for (const ChannelDiagnosis& channel : sensor.channels) {
      const std::string quantity(to_string(channel.quantity)), unit(unit_of(channel.quantity));
      channels.push_back({{"quantity", quantity},
                          {"unit", unit},
                          {"axes", axis_count(channel.quantity)},
                          {"new_share", channel.new_share}});
      units[quantity] = unit;
      quantities += (quantities.empty() ? "" : ", ") + quantity + " (" + unit + ")";
    }
    sensors.push_back({{"name", sensor.name},
                       {"rate_hz", sensor.rate_hz},
                       {"channels", channels},
                       {"samples", sensor.samples},
                       {"start_s", recording.sensors[i].start_s()},
                       {"duration_s", sensor.duration_s},
                       {"usual_interval_s", sensor.usual_interval_s},
                       {"uniform_clock", sensor.uniform_clock},
                       {"new_share", sensor.new_share},
                       {"gravity_m_s2", number_or_null(sensor.gravity_m_s2)},
                       {"median_acceleration_m_s2", number_or_null(sensor.median_acceleration_m_s2)}});
    report.details += "  " + sensor.name + ": " + std::to_string(sensor.samples) + " samples at " +
                      hertz(sensor.rate_hz) + (sensor.uniform_clock ? "" : ", time stamps") + ", " +
                      percent(sensor.new_share) + " new: " + quantities;
    if (sensor.gravity_m_s2)
      report.details += "; gravity " + number_text(std::round(*sensor.gravity_m_s2 * 100) / 100) + " m/s²";
    else if (sensor.median_acceleration_m_s2)
      report.details += "; never at rest, median acceleration " +
                        number_text(std::round(*sensor.median_acceleration_m_s2 * 100) / 100) + " m/s²";
    report.details += "\n";
  }
  Json doubts = Json::array();
  for (const UnitDoubt& doubt : diagnosis.unit_doubts)
    doubts.push_back(
        {{"sensor", doubt.sensor}, {"quantity", to_string(doubt.quantity)}, {"reason", doubt.reason}});
  const std::vector<std::string> sentences = describe(diagnosis);
  report.json = {{"path", path},
                 {"kind", "recording"},
                 {"format", recording.format},
                 {"duration_s", diagnosis.duration_s},
                 {"sensors", sensors},
                 {"units", units},
                 {"gaps", findings_json(diagnosis.gaps)},
                 {"resets", findings_json(diagnosis.clock_resets)},
                 {"repeated", findings_json(diagnosis.holds)},
                 {"saturation", findings_json(diagnosis.saturations)},
                 {"missing", findings_json(diagnosis.missing)},
                 {"unit_doubts", doubts},
                 {"notes", recording.notes}};
  report.line = "recording (" + recording.format + "), " + seconds(diagnosis.duration_s) + ", " +
                std::to_string(diagnosis.sensors.size()) +
                (diagnosis.sensors.size() == 1 ? " sensor" : " sensors");
  if (!diagnosis.sensors.empty()) report.line += " at " + hertz(diagnosis.sensors.front().rate_hz);
  for (const std::string& sentence : sentences) report.details += "  " + sentence + "\n";
  for (const std::string& note : recording.notes) report.details += "  " + note + "\n";
  return report;
}

Report report_weights(const std::string& path) {
  const TensorFile file = read_weights(path);
  Report report;
  Json tensors = Json::array();
  std::int64_t values = 0;
  std::string table;
  for (const TensorEntry& entry : file.entries()) {
    Json shape = Json::array();
    for (int axis = 0; axis < entry.shape.rank(); ++axis) shape.push_back(entry.shape[axis]);
    tensors.push_back({{"name", entry.name}, {"dtype", name_of(entry.dtype)}, {"shape", shape}});
    values += entry.shape.element_count();
    const std::string quoted = in_quotes(entry.name);
    table += "  " + quoted.substr(1, quoted.size() - 2) + "  " + name_of(entry.dtype) + " " +
             entry.shape.to_string() + "\n";
  }
  Json config = nullptr;
  std::string model, why;
  try {
    const std::optional<ModelConfig> stored = config_of(file);
    const ModelConfig known = stored ? *stored : infer_config(file);
    config = Json::parse(to_json(known));
    model = config.value("model", "encoder_decoder");
  } catch (const InputError& error) {
    why = error.what();
    if (why.rfind(path + ": ", 0) == 0) why.erase(0, path.size() + 2);
  }
  report.json = {{"path", path},
                 {"kind", "weights"},
                 {"model", model.empty() ? Json(nullptr) : Json(model)},
                 {"config", config},
                 {"values", values},
                 {"tensors", tensors},
                 {"metadata", file.metadata},
                 {"ignored", file.ignored}};
  if (!why.empty()) report.json["unknown_because"] = why;
  report.line = "weights, " + (model.empty() ? "of no model known here" : "model " + model) + ", " +
                std::to_string(file.entries().size()) + " tensors, " + std::to_string(values) + " values";
  if (!config.is_null()) report.details += "  config: " + config.dump() + "\n";
  if (!why.empty()) report.details += "  " + why + "\n";
  for (const std::string& other : file.ignored) report.details += "  not read: " + other + "\n";
  report.details += table;
  return report;
}

Report report_midi(const std::string& path) {
  const MidiFile file = read_midi_file(path);
  Report report;
  Json tracks = Json::array();
  std::size_t notes = 0;
  int low = 128, high = -1;
  std::string table;
  for (const MidiTrack& track : file.tracks) {
    int track_low = 128, track_high = -1;
    for (const Note& note : track.notes) {
      track_low = std::min(track_low, static_cast<int>(note.pitch));
      track_high = std::max(track_high, static_cast<int>(note.pitch));
    }
    low = std::min(low, track_low);
    high = std::max(high, track_high);
    notes += track.notes.size();
    tracks.push_back({{"name", track.name},
                      {"notes", track.notes.size()},
                      {"range", track.notes.empty() ? Json(nullptr) : Json::array({track_low, track_high})},
                      {"program", track.program < 0 ? Json(nullptr) : Json(track.program)},
                      {"duration_s", track.end}});
    if (!track.notes.empty()) {
      const std::string quoted = in_quotes(track.name);
      table += "  track " + std::to_string(tracks.size()) + " " + quoted + ": " +
               std::to_string(track.notes.size()) + " notes, pitches " + std::to_string(track_low) + " to " +
               std::to_string(track_high) + "\n";
    }
  }
  Json tempo = Json::array();
  for (const TempoChange& change : file.tempo_changes)
    tempo.push_back({{"time_s", change.time}, {"bpm", change.bpm()}});
  const double bpm = file.tempo_changes.empty() ? 120 : file.tempo_changes.front().bpm();
  report.json = {{"path", path},
                 {"kind", "midi"},
                 {"format", file.format},
                 {"duration_s", file.end()},
                 {"notes", notes},
                 {"range", notes == 0 ? Json(nullptr) : Json::array({low, high})},
                 {"tempo_bpm", bpm},
                 {"tempo_changes", tempo},
                 {"tracks", tracks},
                 {"pitch_bends", file.pitch_bends},
                 {"pedal_changes", file.pedal_changes},
                 {"controller_changes", file.controller_changes},
                 {"unmatched_note_offs", file.unmatched_note_offs},
                 {"unclosed_notes", file.unclosed_notes}};
  report.line = "MIDI file of format " + std::to_string(file.format) + ", " + seconds(file.end()) + ", " +
                std::to_string(file.tracks.size()) + (file.tracks.size() == 1 ? " track, " : " tracks, ") +
                std::to_string(notes) + " notes" +
                (notes == 0 ? "" : ", pitches " + std::to_string(low) + " to " + std::to_string(high)) +
                ", " + number_text(std::round(bpm * 100) / 100) + " bpm" +
                (file.tempo_changes.size() > 1
                     ? " and " + std::to_string(file.tempo_changes.size() - 1) + " changes of tempo"
                     : "");
  report.details = table;
  if (file.pitch_bends > 0)
    report.details += "  " + std::to_string(file.pitch_bends) + " pitch bends, which are not used\n";
  if (file.unmatched_note_offs > 0 || file.unclosed_notes > 0)
    report.details += "  " + std::to_string(file.unmatched_note_offs) + " note_offs without a note, " +
                      std::to_string(file.unclosed_notes) + " notes that never end\n";
  return report;
}

// Throws Error for a file that cannot be read, or not twice.
std::string first_bytes(const std::string& path) {
  throw_if_named_pipe(path, "name a regular file");
  struct stat status {};
  const FileDescriptor file = open_to_read(path, status, false);
  if (!S_ISREG(status.st_mode)) throw InputError(path, "is a device or a pipe", "name a regular file");
  std::string bytes(4096, '\0');
  const ssize_t count = ::read(file.number(), bytes.data(), bytes.size());
  if (count < 0) throw_unreadable(path, "read", errno);
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

// What keeps a file, or a folder or a file in it, from being read; nothing where all can be.
std::optional<std::string> unreadable_because(const std::string& path) {
  try {
    if (!is_folder(path)) {
      first_bytes(path);
    } else {
      for (const std::string& name : list_entries(path).files) first_bytes(join_path(path, name));
    }
    return std::nullopt;
  } catch (const Error& error) {
    return error.what();
  }
}

// Phones' recordings come as zip archives, as PyTorch's checkpoints do.
void check_archive(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  ByteBudget budget(path, static_cast<std::int64_t>(file->bytes().size()));
  const ZipArchive archive(file, budget);
  if (std::none_of(archive.entries().begin(), archive.entries().end(),
                   [](const ZipEntry& entry) { return entry.name.ends_with("data.pkl"); }))
    throw InputError(path, "is a zip archive without a data.pkl, so no PyTorch checkpoint",
                     "unpack a recording and name its folder, or save a model's state_dict with torch.save");
}

Report report_training_config(const std::string& path) {
  const Json config = Json::parse(to_json(read_training_config(path)));
  Report report;
  report.json = {{"path", path}, {"kind", "training config"}, {"config", config}};
  report.line = "training config of a model " + config["model"].value("model", "encoder_decoder") + ", " +
                std::to_string(config["training"]["steps"].get<std::int64_t>()) + " steps";
  report.details = "  config: " + config.dump() + "\n";
  return report;
}

Report report_training_log(const std::string& path) {
  const training_log::Curves curves = training_log::read(path);
  Report report;
  report.json = {{"path", path},
                 {"kind", "training log"},
                 {"training_points", curves.training.size()},
                 {"validation_points", curves.validation.size()}};
  report.line = "training log, " + std::to_string(curves.training.size()) + " points of training, " +
                std::to_string(curves.validation.size()) + " of validation";
  return report;
}

// The name of the first member, where the text begins as a JSON object does.
std::string_view first_member(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  for (const char expected : {'{', '"'}) {
    const std::size_t at = text.find_first_not_of(blanks);
    if (at == std::string_view::npos || text[at] != expected) return {};
    text.remove_prefix(at + 1);
  }
  return text.substr(0, text.find('"'));
}

// The first bytes tell what to try; what is none of these is text, or refused as weights are.
Report report_file(const std::string& path, const ReadOptions& options) {
  const std::string start = first_bytes(path);
  if (start.starts_with("MThd")) return report_midi(path);
  if (is_zip(std::as_bytes(std::span(start)))) check_archive(path);
  const bool binary = start.find('\0') != std::string::npos || start.starts_with("PK\x03\x04") ||
                      start.starts_with("\x80") || start.starts_with("\x1f\x8b") || start.starts_with("\x89");
  if (binary) return report_weights(path);
  const std::string_view member = first_member(start);
  if (member == "model" || member == "training") return report_training_config(path);
  if (member == "step") return report_training_log(path);
  return report_recording(path, options);
}

// What prepare has made: how much of what, and which splits there are.
Report report_dataset(const std::string& path) {
  const Dataset dataset(path);
  std::size_t with_motion = 0;
  std::int64_t notes = 0;
  double length_s = 0;
  for (const PairInfo& pair : dataset.pairs()) {
    with_motion += pair.has_motion;
    notes += pair.notes;
    length_s += pair.seconds;
  }
  Report report;
  report.json = {{"path", path},
                 {"kind", "data set"},
                 {"pairs", dataset.pairs().size()},
                 {"with_motion", with_motion},
                 {"notes", notes},
                 {"seconds", length_s},
                 {"splits", dataset.split_names()},
                 {"dropped", dataset.dropped().size()}};
  report.line = "data set of " + std::to_string(dataset.pairs().size()) +
                (dataset.pairs().size() == 1 ? " pair, " : " pairs, ") + std::to_string(with_motion) +
                " with motion, " + std::to_string(notes) + " notes, " + seconds(length_s);
  report.details = "  splits:";
  for (const std::string& name : dataset.split_names()) report.details += " '" + one_line(name) + "'";
  report.details += "\n";
  return report;
}

// What train has written so far: how far it is, what it learns from and what it was told.
Report report_run(const std::string& path) {
  const TensorFile state = read_safetensors(join_path(path, "state.safetensors"));
  const TrainingConfig config = checkpoint_config(state);
  const TrainingProgress progress = checkpoint_progress(state);
  std::optional<WeightsSplit> split;  // stands in the weights
  if (const std::string last = join_path(path, "last.safetensors"); is_there(last))
    split = split_of(read_safetensors(last));
  const bool validated = std::isfinite(progress.best_nll);
  Json files = Json::array();
  for (const std::string& name : list_entries(path).files) files.push_back(name);
  Report report;
  report.json = {{"path", path},
                 {"kind", "training run"},
                 {"step", progress.step},
                 {"steps", config.steps},
                 {"best_validation_nll", validated ? Json(progress.best_nll) : Json(nullptr)},
                 {"best_step", validated ? Json(progress.best_step) : Json(nullptr)},
                 {"seconds", progress.seconds},
                 {"split", split ? Json(split->name) : Json(nullptr)},
                 {"config", Json::parse(to_json(config))},
                 {"files", files}};
  report.line = "training run at step " + std::to_string(progress.step) + " of " +
                std::to_string(config.steps) + " after " + seconds(progress.seconds) + ", " +
                (validated ? "best validation " + number_text(std::round(progress.best_nll * 10000) / 10000) +
                                 " nats a token at step " + std::to_string(progress.best_step)
                           : "no validation yet");
  if (split) report.details += "  split: " + in_quotes(split->name) + "\n";
  report.details += "  config: " + report.json["config"].dump() + "\n  files:";
  for (const auto& name : files) report.details += " '" + one_line(name.get<std::string>()) + "'";
  report.details += "\n";
  return report;
}

Report inspect_path(const std::string& path, const ReadOptions& options, int depth);

// Everything in a folder that is no recording itself.
Report report_folder(const std::string& path, const ReadOptions& options, int depth) {
  const FolderEntries entries = list_entries(path);
  Report report;
  Json files = Json::array();
  std::size_t unknown = 0;
  const auto add = [&](const std::string& entry) {
    const std::string below = join_path(path, entry), name = one_line(entry);
    try {
      Report one = inspect_path(below, options, depth - 1);
      report.details += name + ": " + one.line + "\n";
      report.unreadable += one.unreadable;
      // Of files, what is wrong with them; not every tensor and track.
      if (one.json["kind"] == "recording" || one.json["kind"] == "folder") {
        std::size_t begin = 0;
        while (begin < one.details.size()) {
          const std::size_t end = one.details.find('\n', begin);
          report.details += "  " + one.details.substr(begin, end - begin) + "\n";
          begin = end + 1;
        }
      }
      files.push_back(std::move(one.json));
    } catch (const Error& error) {
      const std::optional<std::string> fault = unreadable_because(below);
      const bool unreadable = fault.has_value();
      ++(unreadable ? report.unreadable : unknown);
      std::string why = fault.value_or(error.what());
      if (why.rfind(below + ": ", 0) == 0) why.erase(0, below.size() + 2);
      report.details += name + (unreadable ? ": cannot be read: " : ": not known: ") + why + "\n";
      files.push_back({{"path", below}, {"kind", unreadable ? "unreadable" : "unknown"}, {"reason", why}});
    }
  };
  for (const FolderEntries::Unreadable& one : entries.unreadable) {
    ++report.unreadable;
    report.details += one_line(one.name) + ": cannot be read: " + one.reason + "\n";
    files.push_back({{"path", join_path(path, one.name)}, {"kind", "unreadable"}, {"reason", one.reason}});
  }
  for (const std::string& name : entries.files) add(name);
  for (const std::string& name : entries.folders) {
    if (depth > 0) {
      add(name);
      continue;
    }
    ++unknown;
    const char* why = "lies more than four folders deep";
    report.details += one_line(name) + ": not known: " + why + "\n";
    files.push_back({{"path", join_path(path, name)}, {"kind", "unknown"}, {"reason", why}});
  }
  if (files.empty()) throw InputError(path, "holds no files", "name a recording, weights or a MIDI file");
  report.line =
      "folder with " + std::to_string(files.size()) + (files.size() == 1 ? " entry" : " entries") +
      (unknown > 0 ? ", " + std::to_string(unknown) + " of them not known" : "") +
      (report.unreadable > 0 ? ", " + std::to_string(report.unreadable) + " that cannot be read" : "");
  report.json = {{"path", path}, {"kind", "folder"}, {"files", std::move(files)}};
  return report;
}

Report inspect_path(const std::string& path, const ReadOptions& options, int depth) {
  if (!is_folder(path)) return report_file(path, options);
  try {
    return report_dataset(path);
  } catch (const InputError&) {
    const std::string list = join_path(path, std::string(dataset_list));
    if (!unreadable_because(list) &&
        read_text_file(list, 1 << 28).find(json_text(dataset_format)) != std::string::npos)
      throw;  // it is one, but damaged or of a later version
  }
  if (const std::string state = join_path(path, "state.safetensors"); ::access(state.c_str(), F_OK) == 0)
    try {
      return report_run(path);
    } catch (const InputError&) {  // no training run: its files are told one by one
    }
  FolderKind kind = FolderKind::other;
  try {
    kind = folder_kind(path);
  } catch (const Error&) {  // of a file that is told in its own line
  }
  if (kind != FolderKind::other) {
    try {
      return report_recording(path, options);
    } catch (const InputError&) {
      // A folder of several takes is told take by take.
      std::vector<std::string> takes;
      for (const std::string& name : list_entries(path).files)
        if (const auto signal = parse_repovizz_file_name(name); signal && !signal->is_raw)
          if (std::find(takes.begin(), takes.end(), signal->take) == takes.end())
            takes.push_back(signal->take);
      if (takes.size() < 2) throw;
      Report report;
      Json files = Json::array();
      for (const std::string& take : takes) {
        const std::string below = join_path(path, take);
        try {
          Report one = report_recording(below, options);
          report.details += one_line(take) + ": " + one.line + "\n";
          files.push_back(std::move(one.json));
        } catch (const Error& error) {
          std::optional<std::string> fault;
          for (const std::string& name : list_entries(path).files)
            if (const auto signal = parse_repovizz_file_name(name); signal && signal->take == take && !fault)
              fault = unreadable_because(join_path(path, name));
          report.unreadable += fault.has_value();
          const std::string why = fault.value_or(error.what());
          report.details += one_line(take) + (fault ? ": cannot be read: " : ": not known: ") + why + "\n";
          files.push_back({{"path", below}, {"kind", fault ? "unreadable" : "unknown"}, {"reason", why}});
        }
      }
      report.line = "folder with " + std::to_string(takes.size()) + " takes";
      report.json = {{"path", path}, {"kind", "folder"}, {"files", std::move(files)}};
      return report;
    }
  }
  return report_folder(path, options, depth);
}

void run_inspect(const InspectOptions& options) {
  constexpr int deepest = 4;  // folders below the one named
  const Report report = inspect_path(options.path, read_options(options.recording), deepest);
  if (options.common.json)
    print_json(report.json);
  else
    print_text(options.path + ": " + report.line + "\n" + report.details);
  if (report.unreadable > 0)
    throw CommandFailure(options.path + ": " + std::to_string(report.unreadable) +
                         (report.unreadable == 1 ? " file" : " files") + " in it could not be read");
}

}  // namespace

void add_inspect_command(CLI::App& program) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = program.add_subcommand("inspect", "Tell what a file or folder holds");
  command
      ->add_option("FILE", options->path,
                   "Weights, a recording, a MIDI file, a data set, a training run, or a folder of these")
      ->required()
      ->check(given());
  add_recording_options(*command, options->recording);
  add_common_options(*command, options->common);
  command->callback([options] { run_inspect(*options); });
}
