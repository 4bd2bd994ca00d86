// What a file or folder holds that a data set can be made of, told by content: names tell labels, and which
// music belongs to which motion.
//
//   violin-myo      a folder with takes/, score/ and a manifest.csv of columns file, stroke, player, or one
//                   of which a file has its score: each take with the score of its name less "_s<player>";
//                   performer s<player>, piece the stroke, or the score's name where no stroke is told
//   RepoVizz        a folder of one raw take, or of processed takes (imu/repovizz_layout.hpp): with the one
//                   MIDI file in it, or <take>.mid beside it (also in a folder midi beside it). Where a raw
//                   take has 00_audio_pickup.wav, the silence around its sound is cut (train/sound_span.hpp);
//                   the notes' times are those of that sound, uncut
//   recordings      any other that read_recording() knows, a file or a folder, with music of the same stem,
//                   a folder of several files also with the one MIDI file in it; of several tables of one
//                   stem the first that can be read; files of Xsens trackers by themselves where the folder
//                   holds music of their stems
//   music alone     MIDI files and tables of notes (train/note_table.hpp) that belong to no motion, nor have
//                   the notes of what belongs to one
//
// Folders are searched eight deep, those within a recording's folder too, as are files there that hold notes
// or motion and are no part of the recording. What is hidden is passed over, and a link that leads back to a
// folder that holds it, be it above the source, is not followed. Of what cannot be read, such as a link to
// nothing, files of the same stem are dropped too: what belongs to what is not known. Music of a stem: x.mid,
// x.midi, x.csv, x.notes.csv, x_notes.csv, x_align_notetime.csv; MIDI is taken first.
//
// Labels. A manifest.csv in a folder (train/manifest.hpp) names those of the files in it and below; of
// several the nearest that names a file holds, and of a file that was named itself that of its folder.
// Otherwise names tell them (train/source_names.hpp).
//
// Finding reads the beginnings of files, and music that may be a copy; load_source_pair() reads them whole
// (train/load_source_pair.hpp).
// Errors: InputError for a source that is not there; what is wrong with one file becomes the reason for which
// it is dropped.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/phyphox_reader.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/repovizz_reader.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/manifest.hpp"
#include "imu2music/train/source_music.hpp"
#include "imu2music/train/source_names.hpp"

namespace imu2music::inline v0 {

// A pair yet to be read.
struct SourcePair {
  PairInfo info;  // id, labels, source, layout; figures and remarks that are known before reading
  std::string motion_path, notes_path, sound_path;
};

struct FoundSources {
  std::vector<SourcePair> pairs;
  std::vector<DroppedSource> dropped;
};

// PairInfo::layout of armband takes; of keypoints, as they are or as virtual sensors.
inline constexpr const char* armband_layout = "violin-myo";
inline constexpr const char* keypoints_layout = "keypoints";

namespace sources_detail {

inline constexpr int deepest = 8;
inline constexpr std::string_view sound_name = "00_audio_pickup.wav";
inline constexpr std::string_view manifest_name = "manifest.csv";

}  // namespace sources_detail

class SourceFinder {
 public:
  // `each` is called folder by folder and file by file; one that throws ends the search.
  explicit SourceFinder(const ReadOptions& options = {}, std::function<void()> each = {})
      : options_(options), each_(std::move(each)) {}

  // Throws InputError where nothing is at `path`.
  void find(const std::string& given) {
    std::string path = given;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    struct stat status {};
    const auto refuse = [&] {
      throw InputError(path.empty() ? "''" : path.c_str(), "there is no such source", "check the path");
    };
    if (path.empty() || path.find('\0') != std::string::npos) refuse();
    if (::stat(path.c_str(), &status) != 0) {
      if (errno != ENOENT) throw_unreadable(path, "stat", errno);
      refuse();
    }
    std::string shown = sources_detail::name_of(path);
    if (shown == "." || shown == "..") {
      // They name nothing to be shown, but the folder has a name.
      char place[PATH_MAX];
      if (::realpath(path.c_str(), place) != nullptr) path = place;
      shown.clear();
    }
    beside_ = nullptr;
    if (S_ISDIR(status.st_mode)) {
      way_ = sources_detail::folders_above(path);
      find_in_folder(path, shown, 0);
    } else if (S_ISREG(status.st_mode)) {
      beside_ = manifest_beside(path);
      find_file(path, shown);
    } else {
      throw InputError(path, "is neither a folder nor a file", "name a folder, or a file on a disk");
    }
  }

  // All that was found. What was taken for music alone and belongs to a motion that was found elsewhere, or
  // is a copy of what does, is not in it: it would be learnt from in training while its motion is in the
  // test.
  FoundSources& found() {
    std::erase_if(found_.pairs, [&](const SourcePair& pair) {
      return pair.motion_path.empty() && used_.count(sources_detail::file_identity(pair.notes_path)) > 0;
    });
    drop_copies();
    return found_;
  }

 private:
  using Manifest = sources_detail::Manifest;
  using FileKind = sources_detail::FileKind;

  static std::string below(const std::string& shown, const std::string& name) {
    return shown.empty() ? name : shown + "/" + name;
  }

  void step() const {
    if (each_) each_();
  }

  void drop(const std::string& source, const std::string& reason) {
    found_.dropped.push_back({source, reason});
  }

  // What is wrong with the file or folder at `path`, whose own name the message begins with.
  void drop(const std::string& source, const Error& error, const std::string& path) {
    drop(source, without_path(error, path));
  }

  static std::string without_path(const Error& error, const std::string& path) {
    std::string reason = error.what();
    if (reason.starts_with(path + ": ")) reason.erase(0, path.size() + 2);
    return reason;
  }

  // The row of the innermost manifest that names the file; null: none does.
  const Manifest::Row* row_of(const std::string& path, const std::string& stem) {
    for (auto manifest = manifests_.rbegin(); manifest != manifests_.rend(); ++manifest)
      if (const Manifest::Row* row = manifest->find(path, stem)) {
        named_.insert(row);
        return row;
      }
    return beside_ == nullptr ? nullptr : beside_->find(path, stem);
  }

  // The manifest of the folder of a file that was named itself; null where there is none that can be read.
  const Manifest* manifest_beside(const std::string& path) {
    using namespace sources_detail;
    const std::string folder = folder_of(path), name(manifest_name), list = join_path(folder, name);
    const auto [manifest, is_new] = manifests_beside_.try_emplace(folder);
    if (is_new && is_file(list)) {
      try {
        manifest->second.emplace(list, folder);
      } catch (const InputError& error) {
        drop(name, error, list);
      }
    }
    return manifest->second ? &*manifest->second : nullptr;
  }

  // Tells the rows of a folder's manifest that name nothing in it, whether it was taken or dropped.
  // `dropped_before` counts what had been dropped before the folder was searched.
  void drop_rows_of_nothing(const std::string& path, const std::string& shown, const Manifest& manifest,
                            std::size_t dropped_before) {
    using namespace sources_detail;
    std::set<std::string> dropped = {name_of(path)};
    const std::size_t start = below(shown, "").size();
    for (std::size_t i = dropped_before; i < found_.dropped.size(); ++i) {
      const DroppedSource& source = found_.dropped[i];
      if (source.source.size() < start) continue;
      const std::string place = source.source.substr(start);
      const std::string folder = place.substr(0, place.rfind('/') + 1);
      dropped.insert({place, folder + file_stem(place), name_of(place), file_stem(place)});
    }
    std::set<std::string> unreadable;
    std::map<std::string, std::set<std::string>> there;  // by folder: the names in it, and their stems
    for (const Manifest::Row& row : manifest.rows()) {
      if (named_.count(&row) > 0 || dropped.count(row.file) > 0) continue;
      const std::string place = join_path(path, row.file), folder = folder_of(place);
      const auto [names, is_new] = there.try_emplace(folder);
      if (is_new && is_folder(folder)) {
        FolderEntries entries;
        try {
          entries = list_entries(folder);
        } catch (const InputError&) {  // which was dropped
          unreadable.insert(folder);
        }
        for (const std::vector<std::string>* list : {&entries.files, &entries.folders})
          for (const std::string& name : *list) names->second.insert({name, file_stem(name)});
      }
      if (unreadable.count(folder) == 0 && names->second.count(name_of(place)) == 0)
        drop(below(shown, row.file), "is listed in manifest.csv and is not there");
    }
  }

  void add(const std::string& stem, const std::string& shown, const std::string& layout,
           const std::string& motion, const std::string& notes, const std::string& sound = {}) {
    SourcePair pair;
    pair.motion_path = motion;
    pair.notes_path = notes;
    pair.sound_path = sound;
    pair.info.id = stem;
    pair.info.source = shown;
    pair.info.layout = layout;
    PieceLabels labels = labels_of_name(stem);
    if (const Manifest::Row* row = row_of(motion.empty() ? notes : motion, stem)) {
      if (!row->labels.performer.empty()) labels.performer = row->labels.performer;
      if (!row->labels.piece.empty()) labels.piece = row->labels.piece;
      labels.stroke = row->labels.stroke;
      pair.info.quality = row->figures;
    }
    pair.info.performer = labels.performer;
    pair.info.piece = labels.piece;
    pair.info.stroke = labels.stroke;
    if (!motion.empty()) used_.insert(sources_detail::file_identity(notes));
    found_.pairs.push_back(std::move(pair));
  }

  void drop_copies() {
    const auto is_alone = [](const SourcePair& pair) { return pair.motion_path.empty(); };
    if (std::none_of(found_.pairs.begin(), found_.pairs.end(), is_alone)) return;
    struct Owner {
      sources_detail::MusicKey music;
      std::string source;
    };
    std::map<std::string, std::vector<Owner>> owners;  // by pitches
    for (const SourcePair& pair : found_.pairs) {
      if (is_alone(pair)) continue;
      step();
      sources_detail::MusicKey music = sources_detail::music_key(pair.notes_path);
      const std::string pitches = music.pitches;
      if (!pitches.empty()) owners[pitches].push_back({std::move(music), pair.info.source});
    }
    if (owners.empty()) return;
    std::erase_if(found_.pairs, [&](const SourcePair& pair) {
      if (!is_alone(pair)) return false;
      step();
      const sources_detail::MusicKey music = sources_detail::music_key(pair.notes_path);
      const auto alike = owners.find(music.pitches);
      if (alike == owners.end()) return false;
      for (const Owner& owner : alike->second)
        if (music.is_music_of(owner.music)) {
          drop(pair.info.source, "is a copy of the music of " + owner.source);
          return true;
        }
      return false;
    });
  }

  static bool is_midi(const std::string& path) { return kind_or_other(path) == FileKind::midi; }

  // A file that cannot be read is of no kind.
  static FileKind kind_or_other(const std::string& path) {
    try {
      return sources_detail::file_kind(path);
    } catch (const Error&) {
      return FileKind::other;
    }
  }

  // The music beside a recording that was named itself or is a folder; empty where there is none.
  std::string music_beside(const std::string& folder, const std::string& stem) {
    for (const std::string& where : {folder, join_path(folder, "midi"), join_path(folder, "../midi")})
      for (const char* ending :
           {".mid", ".midi", ".MID", ".notes.csv", "_notes.csv", "_align_notetime.csv", ".csv"}) {
        const std::string path = join_path(where, stem + ending);
        if (!sources_detail::is_file(path)) continue;
        const FileKind kind = kind_or_other(path);
        if (kind == FileKind::midi || kind == FileKind::notes) return path;
      }
    return {};
  }

  void find_in_folder(const std::string& path, const std::string& shown, int depth) {
    using namespace sources_detail;
    step();
    const FileIdentity folder = file_identity(path);
    if (std::find(way_.begin(), way_.end(), folder) != way_.end()) {
      drop(shown, "leads back to a folder that holds it");
      return;
    }
    if (depth > deepest) {
      drop(shown, "lies more than eight folders deep");
      return;
    }
    if (is_file(join_path(path, std::string(dataset_list)))) {
      drop(shown, "is a data set that was prepared already");
      return;
    }
    FolderEntries entries;
    try {
      entries = list_entries(path);
    } catch (const InputError& error) {
      if (depth == 0) throw;
      drop(shown, error, path);
      return;
    }
    const auto has_folder = [&](const char* name) {
      return std::binary_search(entries.folders.begin(), entries.folders.end(), name);
    };
    way_.push_back(folder);
    const std::size_t outer = manifests_.size(), dropped = found_.dropped.size();
    for (const FolderEntries::Unreadable& one : entries.unreadable) drop(below(shown, one.name), one.reason);
    const std::string list = join_path(path, std::string(manifest_name));
    if (is_file(list)) {
      try {
        manifests_.emplace_back(list, path);
      } catch (const InputError& error) {
        drop(below(shown, std::string(manifest_name)), error, list);
      }
    }
    if (manifests_.size() > outer && has_folder("takes") && has_folder("score") &&
        lists_takes(path, manifests_.back())) {
      find_violin_myo(path, shown, manifests_.back(), entries, depth);
    } else {
      find_by_kind(path, shown, entries, depth);
      if (manifests_.size() > outer) drop_rows_of_nothing(path, shown, manifests_.back(), dropped);
    }
    if (manifests_.size() > outer) {
      for (const Manifest::Row& row : manifests_.back().rows()) named_.erase(&row);
      manifests_.pop_back();
    }
    way_.pop_back();
  }

  void find_by_kind(const std::string& path, const std::string& shown, const FolderEntries& entries,
                    int depth) {
    using namespace sources_detail;
    using Kind = imu2music::FolderKind;
    const Kind kind = kind_of_folder(path, entries);
    if (kind == Kind::repovizz)
      find_repovizz(path, shown);
    else if (kind != Kind::other)
      find_recording_folder(path, shown, entries);
    if (kind != Kind::other) ++recordings_above_;
    for (const std::string& name : entries.folders)
      if (kind != Kind::phyphox || name != "meta")  // which tells of the phone
        find_in_folder(join_path(path, name), below(shown, name), depth + 1);
    if (kind != Kind::other) --recordings_above_;
    find_files(path, shown, kind == Kind::other ? entries.files : files_apart(path, entries.files, kind),
               entries.unreadable);
  }

  // What recording the folder is; `other` where its files are recordings by themselves. A folder of which a
  // file cannot be read may still hold others that can.
  imu2music::FolderKind kind_of_folder(const std::string& path, const FolderEntries& entries) {
    using Kind = imu2music::FolderKind;
    try {
      const Kind kind = folder_kind(path);
      const bool apart = (kind == Kind::phyphox && !is_one_phyphox_recording(path, entries)) ||
                         (kind == Kind::xsens && !is_one_xsens_recording(path, entries));
      return apart ? Kind::other : kind;
    } catch (const InputError&) {
      return Kind::other;
    }
  }

  // Files of trackers may as well be takes: then one at least has music of its own stem, and the folder has
  // none, unless by the name of one of them.
  bool is_one_xsens_recording(const std::string& path, const FolderEntries& entries) {
    using namespace sources_detail;
    std::set<std::string> stems;
    for (const std::string& name : xsens_files(path, entries)) stems.insert(file_stem(name));
    if (stems.erase(name_of(path)) == 0 && !music_of_folder(path, entries).empty()) return true;
    return std::none_of(entries.files.begin(), entries.files.end(), [&](const std::string& name) {
      if (stems.count(music_stem(name)) == 0) return false;
      const FileKind kind = kind_or_other(join_path(path, name));
      return kind == FileKind::midi || kind == FileKind::notes;
    });
  }

  // Whether a file of that name, a table or none, belongs to a recording that is a folder.
  static bool is_part(imu2music::FolderKind kind, const std::string& name, const CsvTable* table) {
    using Kind = imu2music::FolderKind;
    if (kind == Kind::repovizz) return parse_repovizz_file_name(name).has_value();
    if (kind == Kind::openpose) return openpose_detail::parse_file_name(name).has_value();
    if (table == nullptr) return false;
    return kind == Kind::sensor_logger ? is_sensor_logger_csv(*table)
           : kind == Kind::phyphox     ? is_phyphox_csv(*table)
                                       : kind == Kind::xsens && is_xsens_csv(*table);
  }

  // Of the files in a folder of that kind, those that hold notes, or motion that is no part of the folder's
  // recording. What else is there belongs to it: sound, pictures, what tells of the phone.
  std::vector<std::string> files_apart(const std::string& path, const std::vector<std::string>& names,
                                       imu2music::FolderKind kind) const {
    using namespace sources_detail;
    std::vector<std::string> apart, tables;
    std::set<std::string> with_music;  // stems
    for (const std::string& name : names) {
      if (is_part(kind, name, nullptr)) continue;
      step();
      const FileKind is = kind_or_other(join_path(path, name));
      if (is == FileKind::midi || is == FileKind::notes) {
        apart.push_back(name);
        with_music.insert(music_stem(name));
      } else if (is == FileKind::table || is == FileKind::json) {
        tables.push_back(name);
      }
    }
    for (const std::string& name : tables) {
      step();
      if (is_apart(join_path(path, name), kind, with_music.count(file_stem(name)) > 0)) apart.push_back(name);
    }
    std::sort(apart.begin(), apart.end());
    return apart;
  }

  // Whether a table is no part of a folder's recording: one that has music of its own is something by itself,
  // whether it can be read or not; any other, where it is a recording.
  bool is_apart(const std::string& path, imu2music::FolderKind kind, bool has_music) const {
    try {
      const std::string text = read_text_file(path);
      const std::optional<CsvTable> table = table_in(text, path);
      if (table && is_part(kind, sources_detail::name_of(path), &*table)) return false;
      if (!has_music) parse_recording(text, path, options_);
      return true;
    } catch (const InputError&) {
      return has_music;
    }
  }

  // Tables in phyphox's form may as well be takes, each with its own music: of one table the music has to be
  // the folder's by name, and of several none may repeat what another holds.
  bool is_one_phyphox_recording(const std::string& path, const FolderEntries& entries) {
    const std::vector<std::string> tables = phyphox_files(path, entries);
    if (tables.size() > 1) return phyphox_repeats(path, tables).empty();
    return !music_of_folder(path, entries).empty();
  }

  // The music that bears a folder's name, in it or beside it; empty where there is none.
  std::string music_of_folder(const std::string& path, const FolderEntries& entries) {
    using namespace sources_detail;
    const std::string stem = name_of(path);
    for (const std::string& file : entries.files)
      if (file_stem(file) == stem && is_midi(join_path(path, file))) return join_path(path, file);
    return music_beside(folder_of(path), stem);
  }

  // The name of an armband take's score: its own, less "_s<player>".
  static std::string score_stem(const Manifest::Row& row) {
    std::string stem = file_stem(row.file);
    if (const std::string player = "_" + row.labels.performer; stem.ends_with(player))
      stem.resize(stem.size() - player.size());
    return stem;
  }
  static std::string score_name(const Manifest::Row& row) { return "score/" + score_stem(row) + ".csv"; }

  // Whether a manifest is one of armband takes, by its columns or by the scores of what it names.
  static bool lists_takes(const std::string& path, const Manifest& manifest) {
    if (manifest.rows().empty()) return false;
    if (manifest.tells_takes()) return true;
    const FolderEntries scores = list_entries_if_any(join_path(path, "score"));
    return std::any_of(manifest.rows().begin(), manifest.rows().end(), [&](const Manifest::Row& row) {
      return std::binary_search(scores.files.begin(), scores.files.end(), score_stem(row) + ".csv");
    });
  }

  // Nothing where the folder cannot be read.
  static FolderEntries list_entries_if_any(const std::string& folder) {
    try {
      return list_entries(folder);
    } catch (const InputError&) {
      return {};
    }
  }

  // Nothing where the pair of a row can be taken.
  static std::string fault_of_take(const std::string& path, const Manifest::Row& row) {
    using namespace sources_detail;
    const std::string take = join_path(path, row.file), name = score_name(row), score = join_path(path, name);
    try {
      if (!is_there(take) || !is_file(take)) return "is listed in manifest.csv and is not there";
    } catch (const InputError& error) {
      return without_path(error, take);
    }
    try {
      if (!is_there(score) || !is_file(score)) return "has no score: there is no " + name;
    } catch (const InputError& error) {
      return name + ": " + without_path(error, score);
    }
    return {};
  }

  void find_violin_myo(const std::string& path, const std::string& shown, const Manifest& manifest,
                       const FolderEntries& entries, int depth) {
    using namespace sources_detail;
    std::set<std::string> listed, folders = {"takes", "score"};
    for (const Manifest::Row& row : manifest.rows()) {
      listed.insert(row.file);
      folders.insert(row.file.substr(0, row.file.find('/')));
      const std::string id = file_stem(row.file), source = below(shown, row.file);
      if (const std::string fault = fault_of_take(path, row); !fault.empty()) {
        drop(source, fault);
        continue;
      }
      add(id, source, armband_layout, join_path(path, row.file), join_path(path, score_name(row)));
      SourcePair& pair = found_.pairs.back();
      if (pair.info.piece == id)
        pair.info.piece = row.labels.stroke.empty() ? score_stem(row) : row.labels.stroke;
      pair.info.remarks.push_back(
          "the score's clock is the take's but for the player's phase, a constant within some 0.12 s, which "
          "is left as it is where there is no performer_phase_s");
      const auto fit = row.figures.find("string_R2_lag0");
      if (fit != row.figures.end() && fit->second < 0.7)
        pair.info.remarks.push_back("motion and score agree weakly: string_R2_lag0 is " +
                                    number_text(fit->second));
    }
    FolderEntries takes;
    try {
      takes = list_entries(join_path(path, "takes"));
    } catch (const InputError& error) {
      drop(below(shown, "takes"), error, join_path(path, "takes"));
    }
    for (const FolderEntries::Unreadable& one : takes.unreadable) takes.files.push_back(one.name);
    for (const std::string& name : takes.files)
      if (listed.count("takes/" + name) == 0)
        drop(below(shown, "takes/" + name), "is not listed in manifest.csv");
    for (const std::string& name : entries.folders)
      if (folders.count(name) == 0) find_in_folder(join_path(path, name), below(shown, name), depth + 1);
    std::vector<std::string> others;
    for (const std::string& name : files_apart(path, entries.files, imu2music::FolderKind::other))
      if (listed.count(name) == 0) others.push_back(name);
    find_files(path, shown, others, entries.unreadable);
  }

  void find_repovizz(const std::string& path, const std::string& shown) {
    using namespace sources_detail;
    for (const repovizz_detail::Take& take :
         repovizz_detail::takes_in(path, repovizz_detail::list_folder(path))) {
      step();
      const bool raw = take.files.front().is_raw;
      const std::string stem = raw ? name_of(path) : take.files.front().take;
      const std::string source = raw ? shown : below(shown, stem);
      std::string music;
      if (raw) {
        std::vector<std::string> inside;
        for (const std::string& file : list_entries(path).files)
          if ((file.ends_with(".mid") || file.ends_with(".midi")) && is_midi(join_path(path, file)))
            inside.push_back(join_path(path, file));
        if (inside.size() == 1) music = inside.front();
        for (const std::string& file : inside)
          if (file_stem(file) == stem) music = file;
        if (inside.size() > 1 && music.empty()) {
          drop(source,
               "holds " + std::to_string(inside.size()) + " MIDI files, of which none is " + stem + ".mid");
          continue;
        }
      }
      if (music.empty()) music = music_beside(raw ? folder_of(path) : path, stem);
      if (music.empty()) {
        drop(source, "has motion and no music: put " + stem + ".mid beside it");
        continue;
      }
      const std::string sound = join_path(path, std::string(sound_name));
      add(stem, source, "RepoVizz", raw ? path : join_path(path, stem), music,
          raw && is_file(sound) ? sound : std::string());
    }
  }

  void find_recording_folder(const std::string& path, const std::string& shown,
                             const FolderEntries& entries) {
    using namespace sources_detail;
    const std::string stem = name_of(path);
    std::string music = music_of_folder(path, entries), only;
    std::size_t inside = 0;
    for (const std::string& file : entries.files) {
      if (!is_midi(join_path(path, file))) continue;
      only = file;
      ++inside;
    }
    const bool by_name = !music.empty();
    if (!by_name && inside == 1) music = join_path(path, only);
    if (music.empty()) {
      drop(shown, inside > 1 ? "holds several MIDI files; put " + stem + ".mid beside it instead"
                             : "has motion and no music: put " + stem + ".mid beside it");
      return;
    }
    add(stem, shown, "recording", path, music);
    if (!by_name)
      found_.pairs.back().info.remarks.push_back("its music is " + only +
                                                 ", the one MIDI file in the folder");
  }

  // Nothing where the file is a recording.
  std::string fault_of_recording(const std::string& path) const {
    try {
      read_recording(path, options_);
      return {};
    } catch (const InputError& error) {
      return "holds neither notes nor a recording that can be read: " + without_path(error, path);
    }
  }

  // Why a file is of no use by itself, though it may hold motion.
  std::string reason_without_music(const std::string& path, const std::string& stem) const {
    const std::string fault = fault_of_recording(path);
    return fault.empty() ? "has motion and no music: put " + stem + ".mid beside it" : fault;
  }

  // Of tables of one stem the first that is a recording, the first of all where none is. The others are
  // dropped.
  std::string chosen_motion(const std::string& path, const std::string& shown,
                            const std::vector<std::string>& names) {
    std::vector<std::string> faults;
    while (names.size() > 1 && faults.size() < names.size() && (faults.empty() || !faults.back().empty()))
      faults.push_back(fault_of_recording(join_path(path, names[faults.size()])));
    const std::size_t chosen = faults.empty() || !faults.back().empty() ? 0 : faults.size() - 1;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (i != chosen)
        drop(below(shown, names[i]), i < chosen ? faults[i] : "the motion is taken from " + names[chosen]);
    return names.empty() ? std::string() : names[chosen];
  }

  // Whether a name's ending leaves it open that it is motion or music.
  static bool may_be_paired(const std::string& name) {
    if (!sources_detail::has_ending(name)) return true;
    const std::string ending = csv_detail::lower_case(name.substr(name.rfind('.') + 1));
    for (const std::string_view paired : {"csv", "tsv", "txt", "json", "mid", "midi"})
      if (ending == paired) return true;
    return false;
  }

  // The stems that a file or folder of which nothing is known but its name may belong to.
  static std::set<std::string> stems_of(const std::string& name) {
    using namespace sources_detail;
    if (!has_ending(name)) return {name};
    return {name, file_stem(name), music_stem(name)};
  }

  // `unreadable`: what else is in the folder.
  void find_files(const std::string& path, const std::string& shown, const std::vector<std::string>& names,
                  const std::vector<FolderEntries::Unreadable>& unreadable) {
    using namespace sources_detail;
    struct Stem {
      std::vector<std::string> motions;
      std::string music;
      FileKind music_kind = FileKind::other;
    };
    std::map<std::string, Stem> stems;
    std::map<std::string, std::string> lost;  // by stem
    for (const FolderEntries::Unreadable& one : unreadable)
      if (may_be_paired(one.name))
        for (const std::string& stem : stems_of(one.name)) lost.emplace(stem, one.name);
    for (const std::string& name : names) {
      step();
      const std::string file = join_path(path, name), source = below(shown, name);
      if (name == manifest_name) continue;
      FileKind kind = FileKind::other;
      try {
        kind = file_kind(file);
      } catch (const Error& error) {
        drop(source, error, file);
        continue;
      }
      switch (kind) {
        case FileKind::midi:
        case FileKind::notes: {
          Stem& stem = stems[music_stem(name)];
          const bool better =
              stem.music.empty() || (kind == FileKind::midi && stem.music_kind == FileKind::notes);
          const std::string other = better ? stem.music : name;
          if (better) {
            stem.music = name;
            stem.music_kind = kind;
          }
          if (!other.empty()) drop(below(shown, other), "the notes are taken from " + stem.music);
          break;
        }
        case FileKind::table:
        case FileKind::json:
          stems[file_stem(name)].motions.push_back(name);
          break;
        case FileKind::sound:  // in a recording's folder it belongs to that
          if (recordings_above_ == 0) drop(source, "is sound: notes are read from MIDI files and tables");
          break;
        case FileKind::other:
          if (recordings_above_ == 0) drop(source, "holds neither notes nor motion");
          break;
      }
    }
    for (const auto& [stem, one] : stems) {
      step();
      if (const auto away = lost.find(stem); away != lost.end()) {
        for (const std::string& name : one.motions)
          drop(below(shown, name), "has the name of " + away->second + ", which cannot be read");
        if (!one.music.empty())
          drop(below(shown, one.music), "has the name of " + away->second + ", which cannot be read");
        continue;
      }
      const std::string chosen = chosen_motion(path, shown, one.motions);
      const std::string motion = chosen.empty() ? "" : join_path(path, chosen);
      const std::string music = one.music.empty() ? "" : join_path(path, one.music);
      if (music.empty()) {
        drop(below(shown, chosen), reason_without_music(motion, stem));
        continue;
      }
      const std::string& name = chosen.empty() ? one.music : chosen;
      add(stem, below(shown, name),
          !motion.empty()                    ? "recording"
          : one.music_kind == FileKind::midi ? "MIDI"
                                             : "notes",
          motion, music);
    }
  }

  void find_file(const std::string& path, const std::string& shown) {
    using namespace sources_detail;
    if (name_of(path) == manifest_name) {
      if (beside_ != nullptr) drop(shown, "tells the labels of the files in its folder");
      return;
    }
    const FileKind kind = file_kind(path);
    const std::string stem =
        kind == FileKind::notes || kind == FileKind::midi ? music_stem(path) : file_stem(path);
    if (kind == FileKind::notes || kind == FileKind::midi) {
      add(stem, shown, kind == FileKind::midi ? "MIDI" : "notes", "", path);
    } else if (kind == FileKind::table || kind == FileKind::json) {
      std::string music = music_beside(folder_of(path), stem);
      if (music == path) music.clear();
      if (music.empty())
        drop(shown, reason_without_music(path, stem));
      else
        add(stem, shown, "recording", path, music);
    } else {
      drop(shown, "holds neither notes nor motion");
    }
  }

  ReadOptions options_;
  std::function<void()> each_;
  std::vector<sources_detail::FileIdentity> way_;  // the folders that are being searched, the innermost last
  std::deque<Manifest> manifests_;        // of the folders that are being searched, the innermost last
  std::set<const Manifest::Row*> named_;  // rows of theirs that have named a pair
  // Of folders of files that were named themselves; the one of the file in hand.
  std::map<std::string, std::optional<Manifest>> manifests_beside_;
  const Manifest* beside_ = nullptr;
  int recordings_above_ = 0;  // folders being searched that are recordings
  FoundSources found_;
  std::set<sources_detail::FileIdentity> used_;  // music that belongs to a motion
};

}  // namespace imu2music::inline v0
