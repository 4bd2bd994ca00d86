// What a model is and how large, as JSON: what `init` reads, and what safetensors carry under
// "imu2music.config".
//
//   {"model":"encoder_decoder","encoder":"conv","d_model":128,"heads":8,"encoder_layers":2,
//    "decoder_layers":2,"feed_forward":256,"max_sequence":128,"memory_positions":150,"vocabulary":243,
//    "control":false,"untrained":false}
//
// model    "encoder_decoder": an encoder of motion, a transformer encoder, a music transformer decoder;
//          "lstm_seq2seq": LSTMs in place of the transformers; "music_transformer": the decoder alone
// encoder  "conv", "fully_connected", "frequency", "conv_transformer", "pose", "temporal"; "none" with
//          music_transformer and only there
//
// Some encoders have keys of their own: conv_transformer "rows"; pose "layout" ("body25", "hands", "body65")
// and "pose_layers"; temporal "sensors", "quantities" ("acceleration+angular_velocity", "acceleration",
// "angular_velocity", "acceleration+angular_velocity+orientation"), "channels", "width", "kernel", "blocks",
// "rate_hz", "window_ms", "time_positions", "lookback_ms", "lookahead_ms". docs/models.md tells what each
// means.
//
// Every key may be left out. feed_forward is then twice d_model, memory_positions all tokens of the encoder
// where that has more than 150, vocabulary 390 for music_transformer, channels what the sensors and their
// quantities have, sensors what the channels are for; the others are as in ModelConfig.
// Errors: InputError that names the key and what would be right; nothing unknown is passed over in silence.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/music/event_vocabulary2.hpp"

namespace imu2music::inline v0 {

struct ModelConfig {
  std::string model = "encoder_decoder";
  std::string encoder = "conv";
  int d_model = 128;  // D
  int heads = 8;      // H
  int encoder_layers = 2;
  int decoder_layers = 2;      // all layers of a music_transformer
  int feed_forward = 256;      // F
  int max_sequence = 128;      // L: the longest sequence of tokens
  int memory_positions = 150;  // L of the encoder: the rows of its Er, the most memory tokens
  int vocabulary = 243;        // V; the last id is PAD
  bool control = false;        // whether pitch-class histograms steer the decoder
  bool untrained = false;      // the weights are as initialised

  int rows = 9;  // conv_transformer: rows of its input

  std::string layout = "body25";  // pose: the skeleton
  int pose_layers = 10;           // pose: how many of its ten blocks

  int sensors = 1;                                           // temporal: how many it hears
  std::string quantities = "acceleration+angular_velocity";  // temporal: of each sensor, in this order
  int channels = 6;                                          // temporal: inputs a frame, all sensors together
  int width = 64;                                            // temporal: channels of its convolutions
  int kernel = 5;                                            // temporal: their length
  int blocks = 6;                                            // temporal: how many residual blocks
  int rate_hz = 50;                                          // temporal: frames a second
  int window_ms = 6000;         // temporal: the motion, and the music, of one window; whole frames
  bool time_positions = false;  // temporal: the decoder's positions are musical time
  int lookback_ms = 60000;      // temporal: how far back from its time a token looks; 60000: without bound
  int lookahead_ms = 60000;     // temporal: and how far ahead

  // Whether a token sees only a part of the motion.
  bool bounds_sight() const { return lookback_ms < unbounded_ms || lookahead_ms < unbounded_ms; }
  static constexpr int unbounded_ms = 60000;

  bool operator==(const ModelConfig&) const = default;
};

constexpr const char* config_metadata_key = "imu2music.config";

// How many channels a sensor has with the quantities named so; 0 for a name that is not known.
constexpr int channels_per_sensor(std::string_view quantities) {
  if (quantities == "acceleration" || quantities == "angular_velocity") return 3;
  if (quantities == "acceleration+angular_velocity") return 6;
  return quantities == "acceleration+angular_velocity+orientation" ? 10 : 0;
}

// The frames of one window of a temporal encoder, and the memory tokens that it makes of them.
constexpr std::int64_t window_frames(const ModelConfig& config) {
  return std::int64_t{config.window_ms} * config.rate_hz / 1000;
}
constexpr std::int64_t window_tokens(const ModelConfig& config) {
  const std::int64_t frames_per_token = 2 * config.rate_hz / 25;
  return (window_frames(config) + frames_per_token - 1) / frames_per_token;
}

// Throws InputError where the encoder's Er has fewer positions than its motion network has tokens, or a
// memory cannot hold a window of a temporal or pose encoder.
inline void check_memory_positions(const ModelConfig& config, const std::string& path) {
  if (config.encoder == "temporal" && config.memory_positions < window_tokens(config))
    throw InputError(path, "memory_positions is " + std::to_string(config.memory_positions),
                     "a window of " + std::to_string(config.window_ms) + " ms gives " +
                         std::to_string(window_tokens(config)) + " tokens: use as many or more");
  // Of 150 frames, which the fifth and the eighth block halve.
  const int of_keypoints = config.pose_layers < 5 ? 150 : config.pose_layers < 8 ? 75 : 38;
  if (config.encoder == "pose" && config.memory_positions < of_keypoints)
    throw InputError(path, "memory_positions is " + std::to_string(config.memory_positions),
                     std::to_string(config.pose_layers) + " pose_layers give a window " +
                         std::to_string(of_keypoints) + " tokens: use as many or more");
  const int tokens = config.encoder == "conv" || config.encoder == "frequency" ? 27
                     : config.encoder == "fully_connected"                     ? 9
                     : config.encoder == "conv_transformer"                    ? config.rows * 150
                                                                               : 1;
  if (config.model == "encoder_decoder" && config.encoder_layers > 0 && config.memory_positions < tokens)
    throw InputError(path, "memory_positions is " + std::to_string(config.memory_positions),
                     "the encoder '" + config.encoder + "' gives " + std::to_string(tokens) +
                         " tokens: use as many or more");
}

namespace config_detail {

// A key; `encoder` is the one encoder that has it, or empty: every model has.
struct SizeField {
  std::string_view key;
  int ModelConfig::*member;
  int least, most;
  std::string_view encoder = {};
};
struct NameField {
  std::string_view key;
  std::string ModelConfig::*member;
  std::span<const std::string_view> known;
  std::string_view encoder = {};
};
struct FlagField {
  std::string_view key;
  bool ModelConfig::*member;
  std::string_view encoder = {};
};

constexpr std::string_view models[] = {"encoder_decoder", "lstm_seq2seq", "music_transformer"};
constexpr std::string_view encoders[] = {"conv", "fully_connected", "frequency", "conv_transformer",
                                         "pose", "temporal",        "none"};
constexpr std::string_view layouts[] = {"body25", "hands", "body65"};
constexpr std::string_view quantities[] = {"acceleration+angular_velocity", "acceleration",
                                           "angular_velocity", "acceleration+angular_velocity+orientation"};

constexpr std::array sizes = {SizeField{"d_model", &ModelConfig::d_model, 1, 16384},
                              SizeField{"heads", &ModelConfig::heads, 1, 1024},
                              SizeField{"encoder_layers", &ModelConfig::encoder_layers, 0, 256},
                              SizeField{"decoder_layers", &ModelConfig::decoder_layers, 1, 256},
                              SizeField{"feed_forward", &ModelConfig::feed_forward, 1, 65536},
                              SizeField{"max_sequence", &ModelConfig::max_sequence, 1, 65536},
                              SizeField{"memory_positions", &ModelConfig::memory_positions, 1, 65536},
                              SizeField{"vocabulary", &ModelConfig::vocabulary, 2, 65536},
                              SizeField{"rows", &ModelConfig::rows, 1, 256, "conv_transformer"},
                              SizeField{"pose_layers", &ModelConfig::pose_layers, 1, 10, "pose"},
                              SizeField{"sensors", &ModelConfig::sensors, 1, 8, "temporal"},
                              SizeField{"channels", &ModelConfig::channels, 1, 4096, "temporal"},
                              SizeField{"width", &ModelConfig::width, 1, 4096, "temporal"},
                              SizeField{"kernel", &ModelConfig::kernel, 1, 64, "temporal"},
                              SizeField{"blocks", &ModelConfig::blocks, 1, 16, "temporal"},
                              SizeField{"rate_hz", &ModelConfig::rate_hz, 25, 200, "temporal"},
                              SizeField{"window_ms", &ModelConfig::window_ms, 1000, 60000, "temporal"},
                              SizeField{"lookback_ms", &ModelConfig::lookback_ms, 0, 60000, "temporal"},
                              SizeField{"lookahead_ms", &ModelConfig::lookahead_ms, 0, 60000, "temporal"}};
constexpr std::array names = {NameField{"model", &ModelConfig::model, models},
                              NameField{"encoder", &ModelConfig::encoder, encoders},
                              NameField{"layout", &ModelConfig::layout, layouts, "pose"},
                              NameField{"quantities", &ModelConfig::quantities, quantities, "temporal"}};
constexpr std::array flags = {FlagField{"control", &ModelConfig::control},
                              FlagField{"untrained", &ModelConfig::untrained},
                              FlagField{"time_positions", &ModelConfig::time_positions, "temporal"}};

// In this order, for of two names as near to a misspelt one the first is proposed.
constexpr std::string_view keys[] = {"encoder",      "d_model",        "model",
                                     "heads",        "encoder_layers", "decoder_layers",
                                     "feed_forward", "max_sequence",   "memory_positions",
                                     "vocabulary",   "control",        "untrained",
                                     "rows",         "layout",         "pose_layers",
                                     "channels",     "width",          "kernel",
                                     "blocks",       "rate_hz",        "sensors",
                                     "quantities",   "window_ms",      "time_positions",
                                     "lookback_ms",  "lookahead_ms"};

template <class Fields>
constexpr auto find_field(const Fields& fields, std::string_view key) {
  const auto* found = std::find_if(fields.data(), fields.data() + fields.size(),
                                   [&](const auto& field) { return field.key == key; });
  return found == fields.data() + fields.size() ? nullptr : found;
}

// kernels::max_head_width, which files that know no kernel cannot include.
constexpr int widest_head = 256;

// Throws InputError for a number outside the range of its field, of those that the encoder has.
inline void check_numbers(const ModelConfig& config, const std::string& path) {
  for (const SizeField& field : sizes) {
    const int value = config.*field.member;
    if ((field.encoder.empty() || field.encoder == config.encoder) &&
        (value < field.least || value > field.most))
      throw InputError(path, std::string(field.key) + " is " + std::to_string(value),
                       "a whole number from " + std::to_string(field.least) + " to " +
                           std::to_string(field.most) + " is right");
  }
  // An LSTM has no heads; the ConvTransformer encoder has them before it.
  const bool has_heads = config.model != "lstm_seq2seq" || config.encoder == "conv_transformer";
  if (has_heads && config.d_model % config.heads != 0)
    throw InputError(path,
                     "d_model " + std::to_string(config.d_model) + " cannot be divided among " +
                         std::to_string(config.heads) + " heads",
                     "choose a number of heads that divides d_model");
  if (config.model != "lstm_seq2seq" && config.d_model / config.heads > widest_head)
    throw InputError(
        path,
        "d_model " + std::to_string(config.d_model) + " divided among " + std::to_string(config.heads) +
            (config.heads == 1 ? " head" : " heads") + " makes heads " +
            std::to_string(config.d_model / config.heads) + " wide",
        "heads of at most " + std::to_string(widest_head) + " are supported: choose more of them");
  if (config.rate_hz != 25 && config.rate_hz != 50 && config.rate_hz != 100 && config.rate_hz != 200)
    throw InputError(path, "rate_hz is " + std::to_string(config.rate_hz), "it is 25, 50, 100 or 200");
}

// Takes the object's values in as read_json() meets them.
class ConfigReader {
 public:
  explicit ConfigReader(const std::string& path) : path_(path) {}

  ModelConfig result() const {
    ModelConfig config = config_;
    const bool alone = config.model == "music_transformer";
    if (alone && !given("encoder")) config.encoder = "none";
    if (alone && !given("encoder_layers")) config.encoder_layers = 0;
    if (alone && !given("vocabulary")) config.vocabulary = 390;
    if (!given("feed_forward")) config.feed_forward = 2 * config.d_model;
    if (!given("memory_positions") && config.encoder == "conv_transformer")
      config.memory_positions = std::max(config.memory_positions, config.rows * 150);
    if (config.encoder == "temporal") fit_channels(config);
    if (!given("memory_positions") && config.encoder == "temporal")
      config.memory_positions = std::max(config.memory_positions, static_cast<int>(window_tokens(config)));
    check_numbers(config, path_);
    check_fit(config);
    return config;
  }

  // The events of read_json().
  void null() { refuse("null"); }
  void boolean(bool value) {
    const FlagField* field = find_field(flags, key_);
    if (field == nullptr) refuse(value ? "true" : "false");
    config_.*field->member = value;
  }
  void integer(std::int64_t value) { set_size(value, std::to_string(value)); }
  void unsigned_integer(std::uint64_t value) {
    set_size(value <= INT32_MAX ? static_cast<std::int64_t>(value) : INT64_MAX, std::to_string(value));
  }
  void number(std::string_view text) { refuse(std::string(text.substr(0, 40))); }
  void string(const std::string& text) {
    const NameField* field = find_field(names, key_);
    if (field == nullptr || std::find(field->known.begin(), field->known.end(), text) == field->known.end())
      refuse(in_quotes(text));
    config_.*field->member = text;
  }
  void start_object() {
    if (open_ && key_ == "model") refuse_training_config();
    if (open_) refuse("an object");
    open_ = true;
  }
  void key(const std::string& text) {
    const auto known = std::find(std::begin(keys), std::end(keys), text);
    if (text == "training") refuse_training_config();
    if (known == std::end(keys))
      throw InputError(path_, "the unknown key " + in_quotes(text), unknown_name_advice(text, keys));
    bool& seen = seen_[static_cast<std::size_t>(known - std::begin(keys))];
    if (seen) throw InputError(path_, "the key " + in_quotes(text) + " stands twice", "keep one of the two");
    seen = true;
    key_ = text;
  }
  void end_object() {}
  void start_array() { refuse("a list"); }
  void end_array() {}

 private:
  bool given(std::string_view key) const {
    for (std::size_t i = 0; i < std::size(keys); ++i)
      if (keys[i] == key) return seen_[i];
    return false;
  }

  // Of sensors and channels, the one that is not given follows from the other.
  void fit_channels(ModelConfig& config) const {
    const int each = channels_per_sensor(config.quantities);
    if (given("channels") && !given("sensors") && config.channels % each == 0 && config.channels / each <= 8)
      config.sensors = config.channels / each;
    if (!given("channels")) config.channels = config.sensors * each;
    if (config.channels != config.sensors * each)
      throw InputError(path_, "channels is " + std::to_string(config.channels),
                       std::to_string(config.sensors) + (config.sensors == 1 ? " sensor" : " sensors") +
                           " with " + config.quantities + (config.sensors == 1 ? " has " : " have ") +
                           std::to_string(config.sensors * each) + ": use that, or leave channels out");
  }

  // That model, encoder and the keys given belong together.
  void check_fit(const ModelConfig& config) const {
    const bool alone = config.model == "music_transformer";
    if (alone != (config.encoder == "none"))
      throw InputError(path_, "the model '" + config.model + "' with the encoder '" + config.encoder + "'",
                       alone ? "a music_transformer has the encoder 'none'" : "an encoder is needed");
    if (alone && config.encoder_layers != 0)
      throw InputError(path_,
                       "a music_transformer with encoder_layers " + std::to_string(config.encoder_layers),
                       "its layers are counted by decoder_layers, and encoder_layers is 0");
    if (config.control && config.model != "encoder_decoder")
      throw InputError(path_, "control is true for the model '" + config.model + "'",
                       "only an encoder_decoder can be controlled");
    if (config.model == "lstm_seq2seq" && config.encoder_layers != config.decoder_layers)
      throw InputError(path_,
                       "an lstm_seq2seq with " + std::to_string(config.encoder_layers) +
                           " encoder_layers and " + std::to_string(config.decoder_layers) + " decoder_layers",
                       "the decoder starts from the encoder's state, so both need as many");
    const auto check_owner = [&](const auto& field) {
      if (!field.encoder.empty() && config.encoder != field.encoder && given(field.key))
        throw InputError(path_, std::string(field.key) + " is given for the encoder '" + config.encoder + "'",
                         "it belongs to the encoder '" + std::string(field.encoder) + "'");
    };
    for (const SizeField& field : sizes) check_owner(field);
    for (const NameField& field : names) check_owner(field);
    for (const FlagField& field : flags) check_owner(field);
    if ((config.time_positions || config.bounds_sight()) &&
        (config.model != "encoder_decoder" || config.vocabulary != EventVocabulary2::size))
      throw InputError(path_,
                       std::string(config.time_positions ? "time_positions" : "lookback_ms or lookahead_ms") +
                           " with the model '" + config.model + "' and a vocabulary of " +
                           std::to_string(config.vocabulary),
                       "musical time is known to an encoder_decoder of vocabulary 2, which has " +
                           std::to_string(EventVocabulary2::size) + " ids");
    if (config.window_ms * config.rate_hz % 1000 != 0)
      throw InputError(
          path_,
          "window_ms is " + std::to_string(config.window_ms) + " at rate_hz " +
              std::to_string(config.rate_hz),
          "a window has whole frames: use a multiple of " + std::to_string(1000 / config.rate_hz) + " ms");
    check_memory_positions(config, path_);
  }

  void set_size(std::int64_t value, const std::string& shown) {
    const SizeField* field = find_field(sizes, key_);
    if (field == nullptr || value < field->least || value > field->most) refuse(shown);
    config_.*field->member = static_cast<int>(value);
  }

  // {"model": {…}, "training": {…}}
  [[noreturn]] void refuse_training_config() const {
    throw InputError(path_, "is the config of a training run",
                     "a model's config is what stands under \"model\" in it, in a file of its own");
  }

  [[noreturn]] void refuse(const std::string& shown) const {
    if (!open_)
      throw InputError(path_, "is JSON, but no object",
                       "a model's config looks like {\"encoder\": \"conv\", \"d_model\": 128}");
    if (find_field(flags, key_) != nullptr)
      throw InputError(path_, key_ + " is " + shown, "true or false is right");
    if (const SizeField* field = find_field(sizes, key_))
      throw InputError(path_, key_ + " is " + shown,
                       "a whole number from " + std::to_string(field->least) + " to " +
                           std::to_string(field->most) + " is right");
    std::string known;
    if (const NameField* field = find_field(names, key_))
      for (const std::string_view name : field->known)
        known += std::string(known.empty() ? "'" : ", '").append(name) + "'";
    throw InputError(path_, "the " + key_ + " " + shown + " is not known", "there is " + known);
  }

  std::string path_;
  ModelConfig config_;
  std::string key_;
  bool open_ = false;
  std::array<bool, std::size(keys)> seen_{};
};

}  // namespace config_detail

// `path` is the file that `json_text` comes from, for messages.
inline ModelConfig parse_model_config(std::string_view json_text, const std::string& path) {
  config_detail::ConfigReader reader(path);
  if (const auto fault = read_json(json_text, reader))
    throw InputError(path, "is not JSON (at byte " + std::to_string(*fault) + ")",
                     "a model's config looks like {\"encoder\": \"conv\", \"d_model\": 128}");
  return reader.result();
}

inline ModelConfig read_model_config(const std::string& path) {
  return parse_model_config(read_text_file(path, 1 << 20), path);
}

// One line, the keys always in the same order: all those that every model has, then the encoder's own.
inline std::string to_json(const ModelConfig& config) {
  std::string text = "{";
  const auto add = [&](std::string_view key, const std::string& value) {
    text += (text.size() == 1 ? "\"" : ",\"") + std::string(key) + "\":" + value;
  };
  for (const bool own : {false, true}) {
    for (const config_detail::NameField& field : config_detail::names)
      if (own ? field.encoder == config.encoder : field.encoder.empty())
        add(field.key, json_quoted(config.*field.member).value_or("\"\""));
    for (const config_detail::SizeField& field : config_detail::sizes)
      if (own ? field.encoder == config.encoder : field.encoder.empty())
        add(field.key, std::to_string(config.*field.member));
    for (const config_detail::FlagField& field : config_detail::flags)
      if (own ? field.encoder == config.encoder : field.encoder.empty())
        add(field.key, config.*field.member ? "true" : "false");
  }
  return text + "}";
}

// The config that a weight file carries, if it does.
inline std::optional<ModelConfig> config_of(const TensorFile& file) {
  const auto found = file.metadata.find(config_metadata_key);
  if (found == file.metadata.end()) return std::nullopt;
  return parse_model_config(found->second, file.path);
}

}  // namespace imu2music::inline v0
