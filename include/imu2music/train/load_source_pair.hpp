// A source read whole: motion and notes on one axis, with what is to be told of them.
//
// A tracked body becomes what sensors on its forearms would have read (imu/body_imu.hpp), or keeps its
// keypoints, where PrepareOptions::keypoints says so. A recording with sound is cut to it
// (train/sound_span.hpp). Notes outside A0 to C8, for which models with motion have no ids, are left out and
// counted.
//
// Errors: InputError where the pair cannot be used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/body_imu.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/distribution_map.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/skeleton_keypoints.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/io/wav_reader.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/pairing.hpp"
#include "imu2music/train/sound_span.hpp"
#include "imu2music/train/source_music.hpp"
#include "imu2music/train/sources.hpp"

namespace imu2music::inline v0 {

namespace sources_detail {

// Figures and remarks of what diagnose() finds.
inline void add_diagnosis(const Recording& recording, PairInfo& info) {
  const Diagnosis diagnosis = diagnose(recording);
  double slowest = 0, new_share = 1;
  for (const SensorDiagnosis& sensor : diagnosis.sensors) {
    slowest = slowest == 0 ? sensor.rate_hz : std::min(slowest, sensor.rate_hz);
    new_share = std::min(new_share, sensor.new_share);
  }
  const auto sum = [](const std::vector<Finding>& findings) {
    double total = 0;
    for (const Finding& finding : findings) total += finding.length_s;
    return total;
  };
  info.quality["sensors"] = static_cast<double>(diagnosis.sensors.size());
  info.quality["rate_hz"] = slowest;
  info.quality["new_share"] = new_share;
  info.quality["gap_s"] = sum(diagnosis.gaps);
  info.quality["clock_resets"] = static_cast<double>(diagnosis.clock_resets.size());
  info.quality["held_s"] = sum(diagnosis.holds);
  info.quality["saturations"] = static_cast<double>(diagnosis.saturations.size());
  info.quality["missing"] = static_cast<double>(diagnosis.missing.size());
  for (const std::string& sentence : describe(diagnosis)) info.remarks.push_back(sentence);
}

// How long music alone lasts: every note begins within it, one without length too.
inline double length_alone(const std::vector<Note>& notes) {
  double seconds = 1e-3;
  for (const Note& note : notes) seconds = std::max({seconds, note.end, note.start + 1e-3});
  return seconds;
}

// Takes out the notes that the vocabularies of models with motion have no ids for: a model could neither
// learn nor write them, and would be measured by them.
inline void leave_out_of_range(std::vector<Note>& notes, PairInfo& info) {
  const std::size_t count =
      std::erase_if(notes, [](const Note& note) { return !EventVocabulary1::has_pitch(note.pitch); });
  if (count == 0) return;
  info.quality["notes_out_of_range"] = static_cast<double>(count);
  info.remarks.push_back("left out: " + std::to_string(count) + (count == 1 ? " note" : " notes") +
                         " outside A0 to C8");
}

}  // namespace sources_detail

// Whose scores get their performer's clock (train/performer_phase.hpp).
enum class Alignment {
  where_needed,  // those of armband takes, of which it is known that their clocks are apart
  all,
  none,
};

struct PrepareOptions {
  ReadOptions read;               // for files that do not tell units or rate
  std::optional<Recording> like;  // virtual sensors get this recording's distributions
  bool keypoints = false;         // recordings of tracked bodies keep their keypoints, for pose encoders
  Alignment alignment = Alignment::where_needed;
  // Seconds by performer that notes are moved by; prepare_dataset() fills it where performers are aligned.
  std::map<std::string, double> phases;
};

inline bool is_aligned(const PairInfo& info, Alignment alignment) {
  return alignment == Alignment::all ||
         (alignment == Alignment::where_needed && info.layout == armband_layout);
}

// A pair as it was read, before its performer's phase moved its notes.
struct SourceReading {
  double begin_s = 0;         // where the pair begins on the music's axis
  std::vector<Note> notes;    // of the pair, in seconds from there
  bool rate_is_used = false;  // there is a recording whose clock the options give, or one of that rate
};

// Reads both halves and brings them to one axis. Throws InputError where the pair cannot be used.
inline Pair load_source_pair(const SourcePair& source, const PrepareOptions& options = {},
                             SourceReading* reading = nullptr) {
  using namespace sources_detail;
  SourceReading own;
  SourceReading& read = reading == nullptr ? own : *reading;
  Pair pair;
  pair.info = source.info;
  PairInfo& info = pair.info;
  std::vector<Note> notes = read_music(source.notes_path, info.remarks);
  if (notes.empty()) throw InputError(source.notes_path, "has no notes", "use music with at least one note");
  leave_out_of_range(notes, info);
  if (notes.empty())
    throw InputError(source.notes_path, "has no notes within A0 to C8 (MIDI 21 to 108)",
                     "use music within the range of a piano");

  if (source.motion_path.empty()) {
    // Music alone keeps its own clock; what begins before 0, which no file should hold, is cut there.
    pair.notes = place_notes(notes, 0, length_alone(notes)).notes;
    if (pair.notes.empty())
      throw InputError(source.notes_path, "has no notes that sound after 0 s",
                       "music should begin at 0 s or later");
    info.has_motion = false;
    info.seconds = length_alone(pair.notes);
    read = {0, pair.notes, false};
  } else {
    Recording motion = read_recording(source.motion_path, options.read);
    const double rate_hz = options.read.units.rate_hz;
    read.rate_is_used = motion.rate_was_given || (rate_hz > 0 && motion.common_rate_hz() == rate_hz);
    if (options.keypoints) {
      if (!has_keypoints(motion))
        throw InputError(source.motion_path, "holds no keypoints of a body or of hands",
                         "leave it out, or prepare it for other encoders");
      info.layout = keypoints_layout;
    } else if (has_forearms(motion)) {
      motion = virtual_forearms(motion);
      if (options.like) map_distribution(motion, *options.like);
      info.layout = keypoints_layout;
    }
    const bool senses = std::any_of(motion.sensors.begin(), motion.sensors.end(), [](const SensorTrack& one) {
      return one.find(Quantity::acceleration) != nullptr || one.find(Quantity::angular_velocity) != nullptr;
    });
    if (!senses && !options.keypoints)
      throw InputError(source.motion_path,
                       "holds no acceleration and no angular velocity, nor an arm's joints",
                       "motion sensors, or shoulder, elbow and wrist of a tracked body, are needed");
    add_diagnosis(motion, info);
    TimeSpan span = common_span(motion);
    if (!source.sound_path.empty()) {
      const std::optional<SoundSpan> sound = sound_span(WavFile(source.sound_path));
      if (!sound)
        throw InputError(source.sound_path, "is silent: no 0.1 s of it are above 1 % of full scale",
                         "leave the take out, or its sound");
      info.remarks.push_back("cut to its sound, from " + number_text(sound->begin_s) + " s to " +
                             number_text(sound->end_s) + " s");
      span = {std::max(span.begin_s, sound->begin_s), std::min(span.end_s, sound->end_s)};
    }
    pair.motion = cut_recording(motion, span.begin_s, span.end_s);
    info.has_motion = true;
    info.seconds = span.end_s - span.begin_s;
    double phase_s = 0;
    if (const auto phase = options.phases.find(info.performer);
        phase != options.phases.end() && is_aligned(source.info, options.alignment)) {
      phase_s = phase->second;
      info.quality["performer_phase_s"] = phase_s;
    }
    read.begin_s = span.begin_s;
    read.notes = place_notes(notes, span.begin_s, info.seconds).notes;
    PlacedNotes placed = place_notes(notes, span.begin_s - phase_s, info.seconds);
    pair.notes = std::move(placed.notes);
    info.goes_on = placed.goes_on;
    if (placed.outside > 0)
      info.remarks.push_back("left out: " + std::to_string(placed.outside) +
                             (placed.outside == 1 ? " note" : " notes") + " outside the motion");
    for (const std::string& note : pair.motion.notes) info.remarks.push_back(note);
    pair.motion.source = info.source;  // wherever the source lies, the same bytes are written
    if (pair.notes.empty())
      throw InputError(source.notes_path, "has no notes while the motion lasts",
                       "motion and music should have one clock");
  }
  info.notes = static_cast<std::int64_t>(pair.notes.size());
  return pair;
}

}  // namespace imu2music::inline v0
