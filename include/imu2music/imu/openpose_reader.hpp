// Reads a folder of OpenPose's JSON files, one a frame of a video:
//
//   <video>_000000000017_keypoints.json
//   {"version": 1.3, "people": [{"pose_keypoints_2d": [x, y, confidence, …],
//                                "hand_left_keypoints_2d": […], "hand_right_keypoints_2d": […], …}, …]}
//
// Of a person 25 keypoints of the body (BODY_25) and 21 of each hand, as far as they are there; each becomes
// a sensor with an image position (pixels, x to the right, y down) and a confidence, 0 … 1: the body's by
// OpenPose's names (openpose_body: Nose, Neck, RShoulder, …), a hand's left_hand0 … left_hand20, right_hand0
// … A keypoint that was not found (confidence 0) is a missing value. The numbers in the files' names are the
// frames' places; a frame without a file is missing values. The files have no clock: 30 frames a second are
// taken, or the rate that is given; Recording::notes says so.
//
// Of several people it is one: the surest of the first frame that has any, and then in each frame whoever
// covers most of it, as it was last seen. With reach, half the diagonal of the box around the places l_k at
// which its keypoints were seen within the last second, a person with keypoints at p_k covers
// Σ_k max(0, reach − |p_k − l_k|), k in both. So a person in whom a keypoint or two is found by mistake
// covers less than a whole one, and others, farther off than the body's own size, cover nothing: where they
// are alone, the frame is missing values. After a second of that the surest is followed anew.
// Recording::notes says in how many frames there were several, or others alone, and how often someone was
// followed anew.
//
// Cost: one pass; 12 bytes a keypoint and frame. Errors: InputError for a file that is not such JSON, another
// number of keypoints, coordinates that are no numbers, files of two videos, none that holds a person,
// numbers that leave out every second frame or more, or one above 10^12.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

inline constexpr double openpose_rate_hz = 30.0;
inline constexpr int hand_keypoints = 21;

// BODY_25 in its order.
inline constexpr std::array<std::string_view, 25> openpose_body = {
    "Nose", "Neck",    "RShoulder", "RElbow", "RWrist",  "LShoulder", "LElbow", "LWrist", "MidHip",
    "RHip", "RKnee",   "RAnkle",    "LHip",   "LKnee",   "LAnkle",    "REye",   "LEye",   "REar",
    "LEar", "LBigToe", "LSmallToe", "LHeel",  "RBigToe", "RSmallToe", "RHeel"};

// The name of keypoint k of all: the body's, then the left hand's, then the right hand's.
inline std::string openpose_keypoint_name(int k) {
  constexpr auto body = static_cast<int>(openpose_body.size());
  if (k < body) return std::string(openpose_body[static_cast<std::size_t>(k)]);
  const bool left = k < body + hand_keypoints;
  return (left ? "left_hand" : "right_hand") + std::to_string(k - body - (left ? 0 : hand_keypoints));
}

namespace openpose_detail {

inline constexpr std::size_t all_keypoints = openpose_body.size() + 2 * hand_keypoints;

struct Person {
  std::array<float, 3 * all_keypoints> values{};  // x, y, confidence

  bool has(std::size_t k) const { return values[3 * k + 2] > 0; }
  double confidence() const {
    double sum = 0;
    for (std::size_t k = 0; k < all_keypoints; ++k)
      if (has(k)) sum += static_cast<double>(values[3 * k + 2]);
    return sum;
  }
};

// Takes the events of read_json() of one frame.
class Handler {
 public:
  explicit Handler(std::string path) : path_(std::move(path)) {}

  std::vector<Person> people;
  bool has_people = false;

  void null() { other("null"); }
  void boolean(bool) { other("true or false"); }
  void string(const std::string&) { other("text"); }
  void integer(std::int64_t number) { value(static_cast<double>(number)); }
  void unsigned_integer(std::uint64_t number) { value(static_cast<double>(number)); }
  void number(std::string_view text) {
    double parsed = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (result.ec != std::errc()) parsed = std::numeric_limits<double>::quiet_NaN();
    value(parsed);
  }
  void start_object() {
    other("an object");
    ++depth_;
    if (depth_ == person_depth) person_begun_ = false;
  }
  void end_object() { --depth_; }
  void start_array() {
    ++depth_;
    if (depth_ == person_depth - 1 && key_ == "people" && !in_people_) {
      in_people_ = has_people = true;
    } else if (part_ != nullptr) {
      other("a list");
    } else if (in_people_ && depth_ == person_depth + 1) {
      part_ = part_named(key_);
      count_ = 0;
    }
  }
  void end_array() {
    if (in_people_ && depth_ == person_depth - 1) in_people_ = false;
    if (part_ != nullptr && depth_ == person_depth + 1) {
      if (count_ != 0 && count_ != 3 * part_->keypoints)
        throw InputError(path_, "has " + std::to_string(count_) + " numbers in " + in_quotes(part_->key),
                         "x, y and confidence of " + std::to_string(part_->keypoints) + " keypoints are " +
                             std::to_string(3 * part_->keypoints) +
                             (part_->first == 0 ? ": use OpenPose's model BODY_25" : ""));
      part_ = nullptr;
    }
    --depth_;
  }
  void key(const std::string& text) { key_ = text; }

 private:
  struct Part {
    std::string_view key;
    std::size_t first, keypoints;
  };
  static constexpr std::array<Part, 3> parts = {
      {{"pose_keypoints_2d", 0, openpose_body.size()},
       {"hand_left_keypoints_2d", openpose_body.size(), hand_keypoints},
       {"hand_right_keypoints_2d", openpose_body.size() + hand_keypoints, hand_keypoints}}};
  static constexpr int person_depth = 3;  // {"people": [{

  static const Part* part_named(const std::string& key) {
    for (const Part& part : parts)
      if (part.key == key) return &part;
    return nullptr;
  }

  void other(const char* what) const {
    if (part_ != nullptr)
      throw InputError(path_, "has " + std::string(what) + " in " + in_quotes(part_->key),
                       "numbers are right there");
  }
  void value(double number) {
    if (part_ == nullptr) return;
    if (!std::isfinite(number) || std::abs(number) > 1e9) other("a number out of range");
    if (!person_begun_) people.emplace_back();  // a person is what has numbers: {} costs nothing
    person_begun_ = true;
    if (count_ < 3 * part_->keypoints)
      people.back().values[3 * part_->first + count_] = static_cast<float>(number);
    ++count_;
  }

  std::string path_, key_;
  int depth_ = 0;
  bool in_people_ = false, person_begun_ = false;
  const Part* part_ = nullptr;
  std::size_t count_ = 0;
};

// The frame's number in "<video>_<number>_keypoints.json", and what stands before it. OpenPose writes twelve
// digits; the number of a name with more than can be counted is above most_frames.
inline constexpr std::int64_t most_frames = 1'000'000'000'000;
struct FileName {
  std::string video;
  std::int64_t frame = 0;
};
inline std::optional<FileName> parse_file_name(std::string_view name) {
  constexpr std::string_view ending = "_keypoints.json";
  if (!name.ends_with(ending)) return std::nullopt;
  name.remove_suffix(ending.size());
  const std::size_t from = name.find_last_not_of("0123456789") + 1;
  FileName result;
  const auto read = std::from_chars(name.data() + from, name.data() + name.size(), result.frame);
  if (read.ec == std::errc::result_out_of_range) result.frame = std::numeric_limits<std::int64_t>::max();
  if (read.ec == std::errc::invalid_argument) return std::nullopt;
  result.video = std::string(name.substr(0, from));
  return result;
}

// The person who is followed, as it was last seen.
class Followed {
 public:
  // Keypoints last seen more than `memory` frames ago no longer count.
  explicit Followed(std::int64_t memory) : memory_(memory) { seen_.fill(never); }

  // To be called for each frame before the others: takes the reach from what was seen by then.
  void begin_frame(std::int64_t frame) {
    frame_ = frame;
    double low_x = 0, high_x = 0, low_y = 0, high_y = 0;
    bool any = false;
    for (std::size_t k = 0; k < all_keypoints; ++k) {
      if (!counts(k)) continue;
      const double x = at(last_, k, 0), y = at(last_, k, 1);
      low_x = any ? std::min(low_x, x) : x, high_x = any ? std::max(high_x, x) : x;
      low_y = any ? std::min(low_y, y) : y, high_y = any ? std::max(high_y, y) : y;
      any = true;
    }
    reach_ = std::hypot(high_x - low_x, high_y - low_y) / 2;
  }
  // 0 where nobody was seen, or no more than a point.
  double reach() const { return reach_; }

  double covered_by(const Person& person) const {
    double sum = 0;
    for (std::size_t k = 0; k < all_keypoints; ++k)
      if (person.has(k) && counts(k))
        sum += std::max(
            0.0, reach_ - std::hypot(at(person, k, 0) - at(last_, k, 0), at(person, k, 1) - at(last_, k, 1)));
    return sum;
  }

  void see(const Person& person) {
    for (std::size_t k = 0; k < all_keypoints; ++k) {
      if (!person.has(k)) continue;
      std::copy_n(person.values.data() + 3 * k, 3, last_.values.data() + 3 * k);
      seen_[k] = frame_;
    }
  }

 private:
  static constexpr std::int64_t never = -1;

  bool counts(std::size_t k) const { return seen_[k] != never && frame_ - seen_[k] <= memory_; }
  static double at(const Person& person, std::size_t k, std::size_t axis) {
    return static_cast<double>(person.values[3 * k + axis]);
  }

  Person last_;
  std::array<std::int64_t, all_keypoints> seen_{};  // in which frame
  std::int64_t memory_, frame_ = 0;
  double reach_ = 0;
};

}  // namespace openpose_detail

// Whether a folder with these files is one of OpenPose.
inline bool is_openpose_folder(const FolderEntries& entries) {
  return std::any_of(entries.files.begin(), entries.files.end(), [](const std::string& name) {
    return openpose_detail::parse_file_name(name).has_value();
  });
}

inline Recording read_openpose(const std::string& folder, const FolderEntries& entries, double rate_hz = 0) {
  using namespace openpose_detail;
  struct Frame {
    std::int64_t number;
    std::string file;
  };
  std::vector<Frame> frames;
  std::string video;
  for (const std::string& name : entries.files) {
    std::optional<FileName> parsed = parse_file_name(name);
    if (!parsed) continue;
    if (parsed->frame > most_frames)
      throw InputError(join_path(folder, name), "has a frame number above 10^12",
                       "numbers count frames: name a folder as OpenPose writes it");
    if (frames.empty()) video = parsed->video;
    if (parsed->video != video)
      throw InputError(folder,
                       "holds frames of two videos, " + in_quotes(video) + " and " + in_quotes(parsed->video),
                       "keep each video's files in a folder of their own");
    frames.push_back({parsed->frame, name});
  }
  std::sort(frames.begin(), frames.end(), [](const Frame& a, const Frame& b) { return a.number < b.number; });
  if (frames.empty())
    throw InputError(folder, "holds no file <video>_<number>_keypoints.json", "name a folder of OpenPose");
  for (std::size_t i = 1; i < frames.size(); ++i)
    if (frames[i].number == frames[i - 1].number)
      throw InputError(join_path(folder, frames[i].file),
                       "is frame " + std::to_string(frames[i].number) + " a second time",
                       "keep one of the two");
  const std::int64_t first = frames.front().number;
  const auto files = static_cast<std::int64_t>(frames.size());
  if (frames.back().number - first >= 2 * files)
    throw InputError(
        folder,
        "has " + std::to_string(files) + " frames of " + std::to_string(frames.back().number - first + 1),
        "half of them or more are missing: name a folder with all");
  const std::int64_t n = frames.back().number - first + 1;

  std::vector<SensorTrack> keypoints(all_keypoints);
  for (std::size_t k = 0; k < all_keypoints; ++k) {
    keypoints[k].name = openpose_keypoint_name(static_cast<int>(k));
    keypoints[k].clock.rate_hz = rate_hz > 0 ? rate_hz : openpose_rate_hz;
    keypoints[k].channels = {Channel(Quantity::image_position, n), Channel(Quantity::confidence, n)};
    std::vector<float>& places = keypoints[k].channels[0].samples;
    std::fill(places.begin(), places.end(), std::numeric_limits<float>::quiet_NaN());
  }
  bool body = false, hands = false;
  std::int64_t several = 0, without = 0, others = 0, anew = 0;
  const double rate = keypoints.front().clock.rate_hz;
  Followed followed(std::llround(std::clamp(rate, 1.0, 1e9)));  // a second
  bool following = false;                                       // someone whose size is known
  for (const Frame& frame : frames) {
    const std::string path = join_path(folder, frame.file);
    Handler handler(path);
    if (const auto fault = read_json(read_text_file(path, 1 << 24), handler))
      throw InputError(path, "is not JSON (at byte " + std::to_string(*fault) + ")",
                       "write the folder again with OpenPose's --write_json");
    if (!handler.has_people)
      throw InputError(path, "has no list of people", "write the folder again with OpenPose's --write_json");
    several += handler.people.size() > 1;
    followed.begin_frame(frame.number);
    const bool known = followed.reach() > 0;
    following = following || known;
    const Person* chosen = nullptr;
    double best = 0;
    bool anybody = false;
    for (const Person& person : handler.people) {
      const double goodness = known ? followed.covered_by(person) : person.confidence();
      anybody = anybody || person.confidence() > 0;
      if (goodness > best) chosen = &person, best = goodness;
    }
    without += !anybody;
    others += anybody && chosen == nullptr;
    if (chosen == nullptr) continue;
    if (!known) anew += following, following = false;
    followed.see(*chosen);
    const auto at = static_cast<std::size_t>(frame.number - first);
    for (std::size_t k = 0; k < all_keypoints; ++k) {
      if (!chosen->has(k)) continue;
      const float* values = chosen->values.data() + 3 * k;
      (k < openpose_body.size() ? body : hands) = true;
      for (int axis = 0; axis < 2; ++axis) keypoints[k].channels[0].axis(axis)[at] = values[axis];
      keypoints[k].channels[1].axis(0)[at] = std::min(values[2], 1.0F);
    }
  }
  if (!body && !hands)
    throw InputError(folder, "shows nobody in any frame", "name a folder with keypoints of a person");

  Recording recording;
  recording.source = folder;
  for (std::size_t k = 0; k < all_keypoints; ++k)
    if (k < openpose_body.size() ? body : hands) recording.sensors.push_back(std::move(keypoints[k]));
  recording.rate_was_given = rate_hz > 0;
  if (!(rate_hz > 0)) recording.notes.push_back("the files have no clock: 30 frames a second are taken");
  if (several > 0)
    recording.notes.push_back("several people are in " + std::to_string(several) + " of " +
                              std::to_string(files) + " frames: one is followed");
  if (others > 0)
    recording.notes.push_back("only others are in " + std::to_string(others) + " of " + std::to_string(n) +
                              " frames");
  if (anew > 0)
    recording.notes.push_back("the person was lost for a second, and the surest followed anew, " +
                              std::to_string(anew) + (anew == 1 ? " time" : " times"));
  if (without + n - files > 0)
    recording.notes.push_back("nobody is in " + std::to_string(without + n - files) + " of " +
                              std::to_string(n) + " frames");
  return recording;
}

}  // namespace imu2music::inline v0
