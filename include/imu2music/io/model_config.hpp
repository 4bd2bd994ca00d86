// A model's sizes as JSON: what `init` reads, and what safetensors carry under "imu2music.config".
//
//   {"encoder":"conv","d_model":128,"heads":8,"encoder_layers":2,"decoder_layers":2,"feed_forward":256,
//    "max_sequence":128,"memory_positions":150,"vocabulary":243,"untrained":false}
//
// Every key may be left out; feed_forward is then twice d_model, the others as above. Errors: InputError that
// names the key and what would be right; nothing unknown is passed over in silence.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct ModelConfig {
  std::string encoder = "conv";
  int d_model = 128;  // D
  int heads = 8;      // H
  int encoder_layers = 2;
  int decoder_layers = 2;
  int feed_forward = 256;      // F
  int max_sequence = 128;      // L: the longest sequence of tokens
  int memory_positions = 150;  // L of the encoder: the rows of its Er
  int vocabulary = 243;        // V
  bool untrained = false;      // the weights are as initialised

  bool operator==(const ModelConfig&) const = default;
};

constexpr const char* config_metadata_key = "imu2music.config";

namespace config_detail {

struct SizeField {
  std::string_view key;
  int ModelConfig::*member;
  int least, most;
};

constexpr std::array sizes = {SizeField{"d_model", &ModelConfig::d_model, 1, 16384},
                              SizeField{"heads", &ModelConfig::heads, 1, 1024},
                              SizeField{"encoder_layers", &ModelConfig::encoder_layers, 0, 256},
                              SizeField{"decoder_layers", &ModelConfig::decoder_layers, 1, 256},
                              SizeField{"feed_forward", &ModelConfig::feed_forward, 1, 65536},
                              SizeField{"max_sequence", &ModelConfig::max_sequence, 1, 65536},
                              SizeField{"memory_positions", &ModelConfig::memory_positions, 1, 65536},
                              SizeField{"vocabulary", &ModelConfig::vocabulary, 2, 65536}};

constexpr std::string_view keys[] = {"encoder",        "d_model",      "heads",        "encoder_layers",
                                     "decoder_layers", "feed_forward", "max_sequence", "memory_positions",
                                     "vocabulary",     "untrained"};

constexpr std::string_view encoders[] = {"conv"};

// Takes the object's values in as read_json() meets them.
class ConfigReader {
 public:
  explicit ConfigReader(const std::string& path) : path_(path) {}

  ModelConfig result() const {
    ModelConfig config = config_;
    if (!given(&ModelConfig::feed_forward)) config.feed_forward = 2 * config.d_model;
    if (config.d_model % config.heads != 0)
      throw InputError(path_,
                       "d_model " + std::to_string(config.d_model) + " cannot be divided among " +
                           std::to_string(config.heads) + " heads",
                       "choose a number of heads that divides d_model");
    return config;
  }

  // The events of read_json().
  void null() { refuse("null"); }
  void boolean(bool value) {
    if (key_ != "untrained") refuse(value ? "true" : "false");
    config_.untrained = value;
  }
  void integer(std::int64_t value) { set_size(value, std::to_string(value)); }
  void unsigned_integer(std::uint64_t value) {
    set_size(value <= INT32_MAX ? static_cast<std::int64_t>(value) : INT64_MAX, std::to_string(value));
  }
  void number(std::string_view text) { refuse(std::string(text.substr(0, 40))); }
  void string(const std::string& text) {
    if (key_ != "encoder" || std::find(std::begin(encoders), std::end(encoders), text) == std::end(encoders))
      refuse(in_quotes(text));
    config_.encoder = text;
  }
  void start_object() {
    if (open_) refuse("an object");
    open_ = true;
  }
  void key(const std::string& text) {
    const auto known = std::find(std::begin(keys), std::end(keys), text);
    if (known == std::end(keys))
      throw InputError(path_, "the unknown key " + in_quotes(text),
                       "did you mean '" + std::string(nearest_name(text, keys)) + "'?");
    bool& seen = seen_[static_cast<std::size_t>(known - std::begin(keys))];
    if (seen) throw InputError(path_, "the key " + in_quotes(text) + " stands twice", "keep one of the two");
    seen = true;
    key_ = text;
  }
  void end_object() {}
  void start_array() { refuse("a list"); }
  void end_array() {}

 private:
  static const SizeField* field_of(std::string_view key) {
    for (const SizeField& field : sizes)
      if (field.key == key) return &field;
    return nullptr;
  }

  bool given(int ModelConfig::*member) const {
    for (std::size_t i = 0; i < std::size(keys); ++i)
      if (const SizeField* field = field_of(keys[i]); field != nullptr && field->member == member)
        return seen_[i];
    return false;
  }

  void set_size(std::int64_t value, const std::string& shown) {
    const SizeField* field = field_of(key_);
    if (field == nullptr || value < field->least || value > field->most) refuse(shown);
    config_.*field->member = static_cast<int>(value);
  }

  [[noreturn]] void refuse(const std::string& shown) const {
    if (!open_)
      throw InputError(path_, "is JSON, but no object",
                       "a model's config looks like {\"encoder\": \"conv\", \"d_model\": 128}");
    if (key_ == "untrained") throw InputError(path_, "untrained is " + shown, "true or false is right");
    if (const SizeField* field = field_of(key_))
      throw InputError(path_, key_ + " is " + shown,
                       "a whole number from " + std::to_string(field->least) + " to " +
                           std::to_string(field->most) + " is right");
    std::string known;
    for (const std::string_view name : encoders)
      known += std::string(known.empty() ? "'" : ", '").append(name) + "'";
    throw InputError(path_, "the encoder " + shown + " is not known", "there is " + known);
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

// One line, keys always all and in the same order.
inline std::string to_json(const ModelConfig& config) {
  std::string text = "{\"encoder\":" + json_quoted(config.encoder).value_or("\"\"");
  for (const config_detail::SizeField& field : config_detail::sizes)
    text += ",\"" + std::string(field.key) + "\":" + std::to_string(config.*field.member);
  return text + ",\"untrained\":" + (config.untrained ? "true}" : "false}");
}

// The config that a weight file carries, if it does.
inline std::optional<ModelConfig> config_of(const TensorFile& file) {
  const auto found = file.metadata.find(config_metadata_key);
  if (found == file.metadata.end()) return std::nullopt;
  return parse_model_config(found->second, file.path);
}

}  // namespace imu2music::inline v0
