// What `train` is told: the model, and how it learns.
//
//   {"model": {"encoder": "temporal", ...},                       io/model_config.hpp
//    "training": {"steps": 2000, "batch": 16, "learning_rate": 1e-3, "schedule": "cosine", ...}}
//
// Keys of "training", all of which may be left out:
//
//   steps, batch, accumulate    optimizer steps; windows a batch; batches whose gradients make one step
//   optimizer                   "adam" (weight_decay is an L2 term) or "adamw" (decoupled from the gradient)
//   learning_rate, schedule, warmup_steps, last_learning_rate    train/schedule.hpp
//   beta1, beta2, eps, weight_decay    of the optimizer; eps above 0, or parameters without gradients get 0/0
//   clip_norm                   the gradients' norm is brought down to it; 0: never
//   label_smoothing, dropout, encoder_dropout    shares in 0..1; the two places: autograd/mode.hpp
//   control_dropout             share of the windows that are learnt without control, for models with control
//   validate_every, checkpoint_every, log_every    steps
//   patience                    stop after so many validations without a better one; 0: never
//   precision                   of products on a device: "float32", "tf32" or "bfloat16"; weights, sums and
//                               what Adam keeps are float32 in all three
//   seed                        of weights, windows, augmentation and dropout
//   rotation_degrees, gain, noise, note_jitter_s, transpose_semitones, transpose_with_motion
//                               train/augment.hpp; the first three for the encoder "temporal", the last where
//                               the motion does not tell the pitch
//
// Errors: InputError that names the key and what would be right; nothing unknown is passed over in silence.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct TrainingConfig {
  ModelConfig model;

  std::int64_t steps = 1000, batch = 15, accumulate = 1;
  std::string optimizer = "adam";
  double learning_rate = 3e-4;
  std::string schedule = "constant";
  std::int64_t warmup_steps = 0;
  double last_learning_rate = 0;
  double beta1 = 0.9, beta2 = 0.98, eps = 1e-9, weight_decay = 1e-5;
  double clip_norm = 0;
  double label_smoothing = 0, dropout = 0.1, encoder_dropout = 0.2, control_dropout = 0.5;
  std::int64_t validate_every = 100, checkpoint_every = 100, log_every = 10, patience = 0;
  std::string precision = "float32";
  std::int64_t seed = 1;
  double rotation_degrees = 0, gain = 0, noise = 0, note_jitter_s = 0;
  std::int64_t transpose_semitones = 0;
  bool transpose_with_motion = false;

  bool operator==(const TrainingConfig&) const = default;
};

namespace training_config_detail {

struct WholeField {
  std::string_view key;
  std::int64_t TrainingConfig::*member;
  std::int64_t least, most;
};
struct NumberField {
  std::string_view key;
  double TrainingConfig::*member;
  double least, most;
};
struct FlagField {
  std::string_view key;
  bool TrainingConfig::*member;
};
struct ChoiceField {
  std::string_view key;
  std::string TrainingConfig::*member;
  std::span<const std::string_view> known;
};

constexpr std::int64_t many = 1000000000;
constexpr std::array wholes = {WholeField{"steps", &TrainingConfig::steps, 1, many},
                               WholeField{"batch", &TrainingConfig::batch, 1, 65536},
                               WholeField{"accumulate", &TrainingConfig::accumulate, 1, 65536},
                               WholeField{"warmup_steps", &TrainingConfig::warmup_steps, 0, many},
                               WholeField{"validate_every", &TrainingConfig::validate_every, 1, many},
                               WholeField{"checkpoint_every", &TrainingConfig::checkpoint_every, 1, many},
                               WholeField{"log_every", &TrainingConfig::log_every, 1, many},
                               WholeField{"patience", &TrainingConfig::patience, 0, many},
                               WholeField{"transpose_semitones", &TrainingConfig::transpose_semitones, 0, 24},
                               WholeField{"seed", &TrainingConfig::seed, 0, INT64_MAX}};
constexpr std::array numbers = {NumberField{"learning_rate", &TrainingConfig::learning_rate, 0, 10},
                                NumberField{"last_learning_rate", &TrainingConfig::last_learning_rate, 0, 10},
                                NumberField{"beta1", &TrainingConfig::beta1, 0, 0.999999},
                                NumberField{"beta2", &TrainingConfig::beta2, 0, 0.999999999},
                                NumberField{"eps", &TrainingConfig::eps, 1e-20, 1},
                                NumberField{"weight_decay", &TrainingConfig::weight_decay, 0, 10},
                                NumberField{"clip_norm", &TrainingConfig::clip_norm, 0, 1e9},
                                NumberField{"label_smoothing", &TrainingConfig::label_smoothing, 0, 0.99},
                                NumberField{"dropout", &TrainingConfig::dropout, 0, 0.95},
                                NumberField{"encoder_dropout", &TrainingConfig::encoder_dropout, 0, 0.95},
                                NumberField{"control_dropout", &TrainingConfig::control_dropout, 0, 1},
                                NumberField{"rotation_degrees", &TrainingConfig::rotation_degrees, 0, 180},
                                NumberField{"gain", &TrainingConfig::gain, 0, 0.9},
                                NumberField{"noise", &TrainingConfig::noise, 0, 10},
                                NumberField{"note_jitter_s", &TrainingConfig::note_jitter_s, 0, 1}};
constexpr std::array flags = {FlagField{"transpose_with_motion", &TrainingConfig::transpose_with_motion}};
constexpr std::string_view optimizers[] = {"adam", "adamw"};
constexpr std::string_view schedules[] = {"constant", "inverse_square_root", "cosine"};
constexpr std::string_view precisions[] = {"float32", "tf32", "bfloat16"};
constexpr std::array choices = {ChoiceField{"optimizer", &TrainingConfig::optimizer, optimizers},
                                ChoiceField{"schedule", &TrainingConfig::schedule, schedules},
                                ChoiceField{"precision", &TrainingConfig::precision, precisions}};

constexpr std::string_view sections[] = {"model", "training"};
constexpr auto keys = [] {
  std::array<std::string_view, wholes.size() + numbers.size() + flags.size() + choices.size()> all{};
  std::size_t n = 0;
  for (const auto& field : wholes) all[n++] = field.key;
  for (const auto& field : numbers) all[n++] = field.key;
  for (const auto& field : flags) all[n++] = field.key;
  for (const auto& field : choices) all[n++] = field.key;
  return all;
}();

// What keys are called elsewhere.
struct Alias {
  std::string_view other, section, key;
};
constexpr Alias aliases[] = {{"lr", "training", "learning_rate"},
                             {"min_lr", "training", "last_learning_rate"},
                             {"epochs", "training", "steps"},
                             {"max_steps", "training", "steps"},
                             {"num_steps", "training", "steps"},
                             {"iterations", "training", "steps"},
                             {"batch_size", "training", "batch"},
                             {"grad_accum", "training", "accumulate"},
                             {"gradient_accumulation", "training", "accumulate"},
                             {"gradient_accumulation_steps", "training", "accumulate"},
                             {"accumulation_steps", "training", "accumulate"},
                             {"optim", "training", "optimizer"},
                             {"scheduler", "training", "schedule"},
                             {"lr_scheduler", "training", "schedule"},
                             {"warmup", "training", "warmup_steps"},
                             {"betas", "training", "beta1"},
                             {"epsilon", "training", "eps"},
                             {"wd", "training", "weight_decay"},
                             {"clip", "training", "clip_norm"},
                             {"grad_clip", "training", "clip_norm"},
                             {"gradient_clip", "training", "clip_norm"},
                             {"max_grad_norm", "training", "clip_norm"},
                             {"smoothing", "training", "label_smoothing"},
                             {"early_stopping", "training", "patience"},
                             {"eval_every", "training", "validate_every"},
                             {"save_every", "training", "checkpoint_every"},
                             {"random_seed", "training", "seed"},
                             {"dtype", "training", "precision"},
                             {"jitter", "training", "note_jitter_s"},
                             {"transpose", "training", "transpose_semitones"},
                             {"hidden", "model", "d_model"},
                             {"hidden_size", "model", "d_model"},
                             {"dim", "model", "d_model"},
                             {"embed_dim", "model", "d_model"},
                             {"n_heads", "model", "heads"},
                             {"num_heads", "model", "heads"},
                             {"nhead", "model", "heads"},
                             {"layers", "model", "decoder_layers"},
                             {"n_layers", "model", "decoder_layers"},
                             {"num_layers", "model", "decoder_layers"},
                             {"ffn", "model", "feed_forward"},
                             {"d_ff", "model", "feed_forward"},
                             {"dim_feedforward", "model", "feed_forward"},
                             {"max_len", "model", "max_sequence"},
                             {"max_length", "model", "max_sequence"},
                             {"seq_len", "model", "max_sequence"},
                             {"vocab", "model", "vocabulary"},
                             {"vocab_size", "model", "vocabulary"}};

// What to say of a key that the section, empty for the whole, does not have: where it belongs, what it is
// called here, or which it is nearest to, here and then elsewhere.
inline std::string advice(std::string_view text, std::string_view section) {
  const auto is_in = [&](std::span<const std::string_view> known) {
    return std::find(known.begin(), known.end(), text) != known.end();
  };
  const auto meant = [&](std::string_view key, std::string_view place) {
    return "did you mean '" + std::string(key) + "'" + (place == section ? "" : " in " + std::string(place)) +
           "?";
  };
  if (is_in(sections)) return "it stands beside " + std::string(section) + ", not in it";
  if (is_in(keys)) return "it belongs in training";
  if (is_in(config_detail::keys)) return "it belongs in model";
  for (const Alias& alias : aliases)
    if (alias.other == text) return meant(alias.key, alias.section);
  std::span<const std::string_view> own = sections;
  if (section == "training") own = keys;
  if (section == "model") own = config_detail::keys;
  if (!may_be_misspelt(text, nearest_name(text, own))) {
    if (const std::string_view key = nearest_name(text, keys); may_be_misspelt(text, key))
      return meant(key, "training");
    if (const std::string_view key = nearest_name(text, config_detail::keys); may_be_misspelt(text, key))
      return meant(key, "model");
  }
  return unknown_name_advice(text, own);
}

// Takes the events of read_json(): the object itself, then "model" for its own reader and "training" for us.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), model_(path) {}

  TrainingConfig result() const {
    TrainingConfig config = config_;
    config.model = model_.result();
    if (config.schedule == "inverse_square_root" && config.warmup_steps < 1)
      throw InputError(path_, "the schedule 'inverse_square_root' without warm-up",
                       "give warmup_steps, 1 or more");
    for (const auto& [key, amount] : {std::pair("rotation_degrees", config.rotation_degrees),
                                      std::pair("gain", config.gain), std::pair("noise", config.noise)})
      if (amount != 0 && config.model.encoder != "temporal")
        throw InputError(path_, std::string(key) + " with the encoder '" + config.model.encoder + "'",
                         "only what the encoder 'temporal' hears is augmented: leave it out");
    if (config.control_dropout != TrainingConfig().control_dropout && !config.model.control)
      throw InputError(path_, "control_dropout for a model without control",
                       "leave it out, or give the model \"control\": true");
    if (config.transpose_with_motion && config.transpose_semitones == 0)
      throw InputError(path_, "transpose_with_motion without transpose_semitones",
                       "say by how many semitones at most");
    return config;
  }

  void null() {
    value("null", [](auto& reader) { reader.null(); });
  }
  void boolean(bool b) {
    if (depth_ == 2 && section_ == "training")
      for (const FlagField& field : flags)
        if (field.key == key_) {
          config_.*field.member = b;
          return;
        }
    value(b ? "true" : "false", [&](auto& reader) { reader.boolean(b); });
  }
  void integer(std::int64_t i) {
    if (!set_whole(i) && !set_number(static_cast<double>(i)))
      value(std::to_string(i), [&](auto& reader) { reader.integer(i); });
  }
  void unsigned_integer(std::uint64_t i) {
    if (i <= INT64_MAX && (set_whole(static_cast<std::int64_t>(i)) || set_number(static_cast<double>(i))))
      return;
    value(std::to_string(i), [&](auto& reader) { reader.unsigned_integer(i); });
  }
  void number(std::string_view text) {
    double x = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
    if (error == std::errc() && end == text.data() + text.size() && set_number(x)) return;
    value(std::string(text.substr(0, 40)), [&](auto& reader) { reader.number(text); });
  }
  void string(const std::string& text) {
    if (depth_ == 2 && section_ == "training")
      for (const ChoiceField& field : choices)
        if (field.key == key_ &&
            std::find(field.known.begin(), field.known.end(), text) != field.known.end()) {
          config_.*field.member = text;
          return;
        }
    value(in_quotes(text), [&](auto& reader) { reader.string(text); });
  }
  void start_object() {
    if (depth_ == 0 || (depth_ == 1 && section_ == "training")) {
      ++depth_;
    } else {
      if (section_ != "model") refuse("an object");
      ++depth_;
      model_.start_object();
    }
  }
  void end_object() { --depth_; }
  void start_array() {
    value("a list", [](auto& reader) { reader.start_array(); });
  }
  void end_array() {}
  void key(const std::string& text) {
    if (depth_ == 1) {
      take(text, sections);
      section_ = text;
    } else if (section_ == "model") {
      if (!is_known(text, config_detail::keys)) refuse_key(text);
      model_.key(text);
    } else {
      take(text, keys);
      key_ = text;
    }
  }

 private:
  static bool is_known(std::string_view text, std::span<const std::string_view> known) {
    return std::find(known.begin(), known.end(), text) != known.end();
  }
  [[noreturn]] void refuse_key(const std::string& text) const {
    throw InputError(path_, "the unknown key " + in_quotes(text),
                     advice(text, depth_ == 1 ? std::string_view() : section_));
  }

  template <class Known>
  void take(const std::string& text, const Known& known) {
    if (!is_known(text, known)) refuse_key(text);
    if (std::find(seen_.begin(), seen_.end(), text) != seen_.end())
      throw InputError(path_, "the key " + in_quotes(text) + " stands twice", "keep one of the two");
    seen_.push_back(text);
  }

  template <class Pass>
  void value(const std::string& shown, const Pass& pass) {
    if (depth_ == 2 && section_ == "model")
      pass(model_);
    else
      refuse(shown);
  }

  bool set_whole(std::int64_t x) {
    if (depth_ != 2 || section_ != "training") return false;
    for (const WholeField& field : wholes)
      if (field.key == key_ && x >= field.least && x <= field.most) {
        config_.*field.member = x;
        return true;
      }
    return false;
  }
  bool set_number(double x) {
    if (depth_ != 2 || section_ != "training") return false;
    for (const NumberField& field : numbers)
      if (field.key == key_ && x >= field.least && x <= field.most) {
        config_.*field.member = x;
        return true;
      }
    return false;
  }

  [[noreturn]] void refuse(const std::string& shown) const {
    if (depth_ == 0)
      throw InputError(path_, "is JSON, but no object",
                       "a config looks like {\"model\": {…}, \"training\": {…}}");
    if (depth_ == 1) throw InputError(path_, section_ + " is " + shown, "an object is right");
    for (const WholeField& field : wholes)
      if (field.key == key_)
        throw InputError(path_, key_ + " is " + shown,
                         "a whole number from " + std::to_string(field.least) + " to " +
                             std::to_string(field.most) + " is right");
    for (const NumberField& field : numbers)
      if (field.key == key_)
        throw InputError(
            path_, key_ + " is " + shown,
            "a number from " + shortest(field.least) + " to " + shortest(field.most) + " is right");
    for (const FlagField& field : flags)
      if (field.key == key_) throw InputError(path_, key_ + " is " + shown, "true or false is right");
    std::string known;
    for (const ChoiceField& field : choices)
      if (field.key == key_)
        for (const std::string_view name : field.known)
          known += std::string(known.empty() ? "'" : ", '").append(name) + "'";
    throw InputError(path_, "the " + key_ + " " + shown + " is not known", "there is " + known);
  }

 public:
  static std::string shortest(double x) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
  }

 private:
  std::string path_;
  TrainingConfig config_;
  config_detail::ConfigReader model_;
  std::string section_, key_;
  std::vector<std::string> seen_;
  int depth_ = 0;
};

}  // namespace training_config_detail

// `path` is the file that `json_text` comes from, for messages.
inline TrainingConfig parse_training_config(std::string_view json_text, const std::string& path) {
  training_config_detail::Reader reader(path);
  if (const auto fault = read_json(json_text, reader))
    throw InputError(path, "is not JSON (at byte " + std::to_string(*fault) + ")",
                     "a config looks like {\"model\": {…}, \"training\": {…}}");
  return reader.result();
}

inline TrainingConfig read_training_config(const std::string& path) {
  return parse_training_config(read_text_file(path, 1 << 20), path);
}

// One line, the keys always in the same order.
inline std::string to_json(const TrainingConfig& config) {
  using namespace training_config_detail;
  std::string text = "{\"model\":" + to_json(config.model) + ",\"training\":{";
  const char* separator = "";
  const auto add = [&](std::string_view key, const std::string& value) {
    text += separator + std::string("\"").append(key) + "\":" + value;
    separator = ",";
  };
  for (const WholeField& field : wholes) add(field.key, std::to_string(config.*field.member));
  for (const NumberField& field : numbers) add(field.key, Reader::shortest(config.*field.member));
  for (const FlagField& field : flags) add(field.key, config.*field.member ? "true" : "false");
  for (const ChoiceField& field : choices) add(field.key, "\"" + config.*field.member + "\"");
  return text + "}}";
}

// What differs between two configs, "batch is 8 instead of 16, …"; empty where nothing does.
inline std::string differences(const TrainingConfig& now, const TrainingConfig& before) {
  using namespace training_config_detail;
  std::string text;
  const auto add = [&](std::string_view key, const std::string& is, const std::string& was) {
    if (is != was) text += (text.empty() ? "" : ", ") + std::string(key) + " is " + is + " instead of " + was;
  };
  for (const WholeField& field : wholes)
    add(field.key, std::to_string(now.*field.member), std::to_string(before.*field.member));
  for (const NumberField& field : numbers)
    add(field.key, Reader::shortest(now.*field.member), Reader::shortest(before.*field.member));
  for (const FlagField& field : flags)
    add(field.key, now.*field.member ? "true" : "false", before.*field.member ? "true" : "false");
  for (const ChoiceField& field : choices) add(field.key, now.*field.member, before.*field.member);
  add("model", to_json(now.model), to_json(before.model));
  return text;
}

}  // namespace imu2music::inline v0
