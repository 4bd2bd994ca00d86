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
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_bytes.hpp"
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

}  // namespace config_detail

// `path` is the file that `json_text` comes from, for messages.
inline ModelConfig parse_model_config(std::string_view json_text, const std::string& path) {
  using namespace config_detail;
  using nlohmann::json;
  std::set<std::string> seen;
  const auto refuse_twice = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 &&
        !seen.insert(parsed.get_ref<std::string&>()).second)
      throw InputError(path, "the key " + in_quotes(parsed.get_ref<std::string&>()) + " stands twice",
                       "keep one of the two");
    return true;
  };
  json document;
  try {
    document = json::parse(json_text, refuse_twice);
  } catch (const json::parse_error& error) {
    throw InputError(path, "is not JSON (at byte " + std::to_string(error.byte) + ")",
                     "a model's config looks like {\"encoder\": \"conv\", \"d_model\": 128}");
  }
  if (!document.is_object())
    throw InputError(path, "is JSON, but no object",
                     "a model's config looks like {\"encoder\": \"conv\", \"d_model\": 128}");

  const auto shown = [](const json& value) -> std::string {
    if (value.is_structured()) return value.is_array() ? "a list" : "an object";  // dump() recurses
    return in_quotes(value.dump(-1, ' ', true, json::error_handler_t::replace));
  };
  ModelConfig config;
  for (const auto& item : document.items()) {
    const std::string& key = item.key();
    const json& value = item.value();
    if (std::find(std::begin(keys), std::end(keys), key) == std::end(keys))
      throw InputError(path, "the unknown key " + in_quotes(key),
                       "did you mean '" + std::string(nearest_name(key, keys)) + "'?");
    if (key == "encoder") {
      if (!value.is_string() || std::find(std::begin(encoders), std::end(encoders),
                                          value.get_ref<const std::string&>()) == std::end(encoders)) {
        std::string known;
        for (const std::string_view name : encoders)
          known += std::string(known.empty() ? "'" : ", '").append(name) + "'";
        throw InputError(path, "the encoder " + shown(value) + " is not known", "there is " + known);
      }
      config.encoder = value.get<std::string>();
    } else if (key == "untrained") {
      if (!value.is_boolean())
        throw InputError(path, "untrained is " + shown(value), "true or false is right");
      config.untrained = value.get<bool>();
    } else {
      const SizeField& field =
          *std::find_if(sizes.begin(), sizes.end(), [&](const SizeField& size) { return size.key == key; });
      const bool fits = value.is_number_integer() &&
                        (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT32_MAX) &&
                        value.get<std::int64_t>() >= field.least && value.get<std::int64_t>() <= field.most;
      if (!fits)
        throw InputError(path, key + " is " + shown(value),
                         "a whole number from " + std::to_string(field.least) + " to " +
                             std::to_string(field.most) + " is right");
      config.*field.member = value.get<int>();
    }
  }
  if (!document.contains("feed_forward")) config.feed_forward = 2 * config.d_model;
  if (config.d_model % config.heads != 0)
    throw InputError(path,
                     "d_model " + std::to_string(config.d_model) + " cannot be divided among " +
                         std::to_string(config.heads) + " heads",
                     "choose a number of heads that divides d_model");
  return config;
}

inline ModelConfig read_model_config(const std::string& path) {
  return parse_model_config(read_text_file(path, 1 << 20), path);
}

// One line, keys always all and in the same order.
inline std::string to_json(const ModelConfig& config) {
  std::string text = "{\"encoder\":" + nlohmann::json(config.encoder).dump();
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
