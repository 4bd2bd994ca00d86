// prepare: a data set for training and evaluation, made of recordings and music.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "imu2music/train/prepare.hpp"
#include "recording_options.hpp"
#include "signals.hpp"

using namespace imu2music;

namespace {

struct PrepareCommand {
  CommonOptions common;
  RecordingOptions recording;
  std::vector<std::string> sources;
  std::string output, like;
  bool align_performers = false, no_align_performers = false, keypoints = false;
};

struct Interrupted {};

Prepared prepare(const PrepareCommand& command) {
  PrepareOptions options;
  options.read = read_options(command.recording);
  if (!command.like.empty()) options.like = read_recording(command.like, options.read);
  options.alignment = command.align_performers      ? Alignment::all
                      : command.no_align_performers ? Alignment::none
                                                    : Alignment::where_needed;
  options.keypoints = command.keypoints;
  Progress progress("pair");
  try {
    const OrderlyEnd orderly;
    return prepare_dataset(command.sources, command.output, options, [&](std::size_t done, std::size_t of) {
      if (OrderlyEnd::requested() != 0) throw Interrupted();
      progress.update(static_cast<std::int64_t>(done), static_cast<std::int64_t>(of));
    });
  } catch (const Interrupted&) {
    std::raise(OrderlyEnd::requested());  // the handler from before ends the program
    throw;
  }
}

// Notes that were left out because models with motion have no ids for them.
struct OutOfRange {
  std::int64_t notes = 0;
  std::size_t pairs = 0;
};

OutOfRange out_of_range(const Prepared& prepared) {
  OutOfRange found;
  for (const PairInfo& pair : prepared.pairs)
    if (const auto count = pair.quality.find("notes_out_of_range"); count != pair.quality.end()) {
      found.notes += static_cast<std::int64_t>(count->second);
      ++found.pairs;
    }
  return found;
}

std::string rounded(double value) { return number_text(std::round(value * 1000) / 1000); }

nlohmann::ordered_json as_json(const PrepareCommand& command, const Prepared& prepared) {
  nlohmann::ordered_json pairs = nlohmann::ordered_json::array(), dropped = pairs;
  double seconds = 0;
  std::int64_t notes = 0, with_motion = 0;
  for (const PairInfo& pair : prepared.pairs) {
    seconds += pair.seconds;
    notes += pair.notes;
    with_motion += pair.has_motion;
    nlohmann::ordered_json one = {{"id", pair.id},           {"source", pair.source},
                                  {"layout", pair.layout},   {"performer", pair.performer},
                                  {"piece", pair.piece},     {"stroke", pair.stroke},
                                  {"seconds", pair.seconds}, {"has_motion", pair.has_motion},
                                  {"notes", pair.notes},     {"quality", pair.quality},
                                  {"remarks", pair.remarks}};
    pairs.push_back(std::move(one));
  }
  for (const DroppedSource& one : prepared.dropped)
    dropped.push_back({{"source", one.source}, {"reason", one.reason}});
  return {{"output", command.output},
          {"seconds", seconds},
          {"notes", notes},
          {"notes_out_of_range", out_of_range(prepared).notes},
          {"with_motion", with_motion},
          {"performer_phases_s", prepared.phases},
          {"splits", prepared.splits},
          {"pairs", pairs},
          {"dropped", dropped}};
}

// A row for each group of pairs that share layout and performer, then what was dropped.
std::string as_text(const PrepareCommand& command, const Prepared& prepared) {
  struct Group {
    std::size_t pairs = 0, pieces = 0, with_motion = 0;
    std::int64_t notes = 0;
    double seconds = 0;
    std::map<std::string, int> seen;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  Group all;
  for (const PairInfo& pair : prepared.pairs)
    for (Group* group : {&groups[{pair.layout, pair.performer}], &all}) {
      ++group->pairs;
      group->with_motion += pair.has_motion;
      group->notes += pair.notes;
      group->seconds += pair.seconds;
      group->pieces += group->seen[pair.piece]++ == 0;
    }
  std::vector<std::vector<std::string>> rows = {
      {"layout", "performer", "pairs", "with motion", "pieces", "notes", "seconds"}};
  const auto add = [&](const std::string& layout, const std::string& performer, const Group& group) {
    rows.push_back({layout, performer, std::to_string(group.pairs), std::to_string(group.with_motion),
                    std::to_string(group.pieces), std::to_string(group.notes), rounded(group.seconds)});
  };
  for (const auto& [name, group] : groups) add(name.first, name.second.empty() ? "-" : name.second, group);
  add("all", "", all);
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text = command.output + ": a data set of " + std::to_string(all.pairs) +
                     (all.pairs == 1 ? " pair" : " pairs") + ", " + std::to_string(all.with_motion) +
                     " with motion\n";
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blank(widths[i] - row[i].size(), ' ');
      line += i < 2 ? row[i] + blank + "  " : blank + row[i] + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += "  " + line + "\n";
  }
  if (std::any_of(prepared.phases.begin(), prepared.phases.end(),
                  [](const auto& one) { return one.second != 0; })) {
    std::string moved;
    for (const auto& [performer, phase] : prepared.phases)
      moved += (moved.empty() ? "" : ", ") + performer + " " + rounded(phase) + " s";
    text += "scores moved to their performers' motion: " + moved +
            " (--no-align-performers leaves them where they are)\n";
  }
  if (const OutOfRange left = out_of_range(prepared); left.notes > 0)
    text += "left out: " + std::to_string(left.notes) + (left.notes == 1 ? " note" : " notes") +
            " outside A0 to C8, in " + std::to_string(left.pairs) +
            (left.pairs == 1 ? " pair\n" : " pairs\n");
  std::size_t remarked = 0;
  for (const PairInfo& pair : prepared.pairs) remarked += !pair.remarks.empty();
  text += "splits: " + std::to_string(prepared.splits.size()) + ", in " + command.output + "/splits\n";
  if (remarked > 0)
    text += "remarks on " + std::to_string(remarked) + (remarked == 1 ? " pair are in " : " pairs are in ") +
            command.output + "/" + std::string(dataset_list) + "\n";
  text += prepared.dropped.empty() ? "nothing was dropped\n"
                                   : "dropped: " + std::to_string(prepared.dropped.size()) + "\n";
  constexpr std::size_t most = 40;
  for (std::size_t i = 0; i < prepared.dropped.size() && i < most; ++i)
    text += "  " + one_line(prepared.dropped[i].source + ": " + prepared.dropped[i].reason) + "\n";
  if (prepared.dropped.size() > most)
    text += "  and " + std::to_string(prepared.dropped.size() - most) + " more, in " + command.output + "/" +
            std::string(dataset_list) + "\n";
  return text;
}

void run_prepare(const PrepareCommand& command) {
  const Prepared prepared = prepare(command);
  if (const double rate_hz = command.recording.rate_hz; rate_hz > 0 && !prepared.rate_is_used)
    std::fprintf(stderr,
                 "imu2music: no recording with music lacks a clock of its own: --rate %s was not used\n",
                 number_text(rate_hz).c_str());
  if (command.common.json)
    print_json(as_json(command, prepared));
  else
    print_text(as_text(command, prepared));
}

}  // namespace

void add_prepare_command(CLI::App& program) {
  auto options = std::make_shared<PrepareCommand>();
  CLI::App* command = program.add_subcommand(
      "prepare", "Make a data set for training of recordings with music, or of music alone");
  command
      ->add_option("SOURCE", options->sources,
                   "Folders or files: recordings with scores or MIDI of the same name, MIDI, tables of notes")
      ->required()
      ->check(given());
  command->add_option("-o,--output", options->output, "Folder to write: new, empty, or a data set to replace")
      ->required()
      ->check(given());
  command
      ->add_option("--like", options->like,
                   "A recording whose distributions virtual sensors of tracked bodies get")
      ->check(given());
  command
      ->add_flag("--keypoints", options->keypoints,
                 "Keep the keypoints of tracked bodies and hands, for weights of a pose encoder; without it "
                 "they become virtual sensors")
      ->excludes("--like");
  command->add_flag(
      "--align-performers", options->align_performers,
      "Lay one score under all performers' takes of it alike: each performer's notes are moved "
      "by a constant, found from the motion alone. Done of itself with armband takes (violin-myo)");
  command
      ->add_flag("--no-align-performers", options->no_align_performers,
                 "Leave the scores of armband takes where they are too")
      ->excludes("--align-performers");
  add_recording_options(*command, options->recording);
  add_common_options(*command, options->common);
  command->callback([options] { run_prepare(*options); });
}
