// A data set made of sources: recordings with their music, and music alone (train/sources.hpp says which are
// known, train/dataset.hpp what is written).
//
// Sources are read one after the other and written at once, so memory holds one pair. What cannot be used is
// dropped with its reason, and so is a pair whose samples and notes are those of an earlier one: a copy in
// training and test would be a leak. Nothing appears unless all went well, and what cannot be written ends it
// all; a `progress` that throws ends it too.
//
// Where performers are to be aligned, recordings are read twice: first for their speed alone.
//
// The same sources in the same order give the same bytes. Errors: InputError for a source that is not there,
// a target that may not be replaced or is read too, or where no pair is left, or none for
// PrepareOptions::like to change.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/sha256.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/dataset_writer.hpp"
#include "imu2music/train/load_source_pair.hpp"
#include "imu2music/train/performer_phase.hpp"
#include "imu2music/train/source_names.hpp"
#include "imu2music/train/sources.hpp"

namespace imu2music::inline v0 {

struct Prepared {
  std::vector<PairInfo> pairs;
  std::vector<DroppedSource> dropped;
  std::vector<std::string> splits;       // that were written
  std::map<std::string, double> phases;  // seconds by performer that scores were moved by
  bool rate_is_used = false;             // by a recording that was read: SourceReading
};

// Done so far, and of how many. While sources are searched, and while performers are aligned, it is called
// with 0 done; of how many is 0 until the search has ended. While the splits are written, and once more just
// before the data set appears, it is called with all done.
using PrepareProgress = std::function<void(std::size_t, std::size_t)>;

namespace prepare_detail {

// Of the motion, and the notes before a performer's phase moved them: a take that is listed under another
// performer is a copy still.
inline std::string content_digest(const Pair& pair, const SourceReading& reading) {
  Sha256 sum;
  const auto add = [&](const void* data, std::size_t size) {
    sum.add({static_cast<const char*>(data), size});
  };
  for (const SensorTrack& sensor : pair.motion.sensors)
    for (const Channel& channel : sensor.channels)
      add(channel.samples.data(), channel.samples.size() * sizeof(float));
  for (const Note& note : reading.notes) {
    const double row[] = {note.start, note.end, static_cast<double>(note.pitch),
                          static_cast<double>(note.velocity)};
    add(row, sizeof row);
  }
  return sum.hex();
}

// Throws InputError for a source that is the target or lies in it: it would be replaced by what is made of
// the others.
inline void check_apart(std::span<const std::string> sources, const std::string& folder) {
  namespace fs = std::filesystem;
  const auto target = sources_detail::file_identity(folder);
  if (target == sources_detail::FileIdentity()) return;
  for (const std::string& source : sources) {
    std::error_code fault;
    fs::path place = fs::canonical(source, fault);
    for (; place.has_relative_path(); place = place.parent_path())
      if (sources_detail::file_identity(place.string()) == target)
        throw InputError(folder, "is read as input too (" + source + ")", "choose a new folder");
  }
}

// What cannot be read has no say, nor have copies; they are dropped, with their reasons, when their turn
// comes. `each` is called take by take.
inline std::map<std::string, double> phases_of(const std::vector<SourcePair>& pairs,
                                               const PrepareOptions& options,
                                               const std::function<void()>& each) {
  std::vector<PerformerMotion> takes;
  std::set<std::string> digests;
  for (const SourcePair& source : pairs) {
    if (source.motion_path.empty() || source.info.performer.empty() || source.info.piece.empty() ||
        !is_aligned(source.info, options.alignment))
      continue;
    each();
    try {
      SourceReading reading;
      const Pair pair = load_source_pair(source, options, &reading);
      if (!digests.insert(content_digest(pair, reading)).second) continue;
      takes.push_back(performer_motion(pair.motion, pair.info.performer, pair.info.piece));
      takes.back().first = std::llround(reading.begin_s * performer_phase_detail::rate_hz);
    } catch (const InputError&) {
    }
  }
  return performer_phases(takes, each);
}

}  // namespace prepare_detail

inline Prepared prepare_dataset(std::span<const std::string> sources, const std::string& folder,
                                const PrepareOptions& chosen = {}, const PrepareProgress& progress = {}) {
  PrepareOptions options = chosen;
  DatasetWriter writer(folder);
  prepare_detail::check_apart(sources, writer.folder());
  const auto report = [&](std::size_t done, std::size_t of) {
    if (progress) progress(done, of);
  };
  SourceFinder finder(options.read, [&] { report(0, 0); });
  for (const std::string& source : sources) finder.find(source);
  const FoundSources& found = finder.found();
  for (const DroppedSource& dropped : found.dropped) writer.drop(dropped.source, dropped.reason);

  for (const auto& [performer, phase] :
       prepare_detail::phases_of(found.pairs, options, [&] { report(0, found.pairs.size()); }))
    options.phases[performer] = phase;

  Prepared prepared;
  std::map<std::string, std::string> ids;  // by content
  for (std::size_t i = 0; i < found.pairs.size(); ++i) {
    const SourcePair& source = found.pairs[i];
    Pair pair;
    SourceReading reading;
    std::string digest, fault;
    try {
      pair = load_source_pair(source, options, &reading);
      dataset_detail::check_length(pair.info);
      digest = prepare_detail::content_digest(pair, reading);
    } catch (const InputError& error) {
      fault = error.what();
      for (const std::string& path : {source.motion_path, source.notes_path, source.sound_path})
        if (!path.empty() && (fault.starts_with(path + ": ") || fault.starts_with(path + "/"))) {
          fault.erase(0, path.size());
          const std::string name = sources_detail::name_of(path);
          if (fault.starts_with("/") || name != sources_detail::name_of(source.info.source))
            fault.insert(0, name);
          else  // the source's own name is said before it
            fault.erase(0, 2);
          break;
        }
    }
    if (!fault.empty())
      writer.drop(source.info.source, fault);
    else if (const auto same = ids.find(digest); same != ids.end())
      writer.drop(source.info.source, "has the same samples and notes as " + same->second);
    else
      ids[digest] = writer.add(pair).id;
    prepared.rate_is_used = prepared.rate_is_used || reading.rate_is_used;
    report(i + 1, found.pairs.size());
  }
  if (writer.pairs().empty()) {
    const std::string why = writer.dropped().empty()
                                ? std::string("they are empty")
                                : writer.dropped().front().source + ": " + writer.dropped().front().reason;
    throw InputError(sources.empty() ? folder : sources.front(), "nothing in it makes a pair (" + why + ")",
                     "name sources with music: docs/datasets.md tells which are known");
  }
  const auto is_virtual = [&](const PairInfo& pair) {
    return pair.layout == keypoints_layout && !options.keypoints;
  };
  if (options.like && std::none_of(writer.pairs().begin(), writer.pairs().end(), is_virtual))
    throw InputError(sources.front(), "no pair in it has virtual sensors of a tracked body",
                     "only those get another recording's distributions: leave it out");
  writer.commit([&] { report(found.pairs.size(), found.pairs.size()); });
  prepared.pairs = writer.pairs();
  prepared.dropped = writer.dropped();
  prepared.splits = writer.splits();
  prepared.phases = options.phases;
  return prepared;
}

}  // namespace imu2music::inline v0
