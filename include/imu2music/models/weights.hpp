// Weights into and out of a model.
//
//   init_model(config, seed)   an untrained model, every parameter from its own random stream
//   load_model(path)           from safetensors (mapped, not copied) or a PyTorch checkpoint
//   save_model(model, path)    to safetensors, the config in the metadata under "imu2music.config"
//
// The config of a file that carries none is inferred from the names and shapes of its tensors. Loading
// compares all of them before anything is used, and throws one InputError that lists every tensor missing,
// unexpected, mis-shaped, of a wrong type or not finite: nothing is left silently at its initial value.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/io/model_config.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/weights_file.hpp"
#include "imu2music/models/imu2music_model.hpp"

namespace imu2music::inline v0 {

namespace detail {

// The faults of a file, gathered before one of them is thrown.
class TensorFaults {
 public:
  void add(const std::string& fault) {
    ++count_;
    if (count_ <= most_listed) text_ += (text_.empty() ? "" : ", ") + fault;
  }
  void throw_if_any(const std::string& path) const {
    if (count_ == 0) return;
    std::string text = std::to_string(count_) + (count_ == 1 ? " tensor does" : " tensors do") +
                       " not fit the model: " + text_;
    if (count_ > most_listed) text += ", and " + std::to_string(count_ - most_listed) + " more";
    throw InputError(path, text, "these weights belong to another model or are damaged");
  }

 private:
  static constexpr int most_listed = 40;
  int count_ = 0;
  std::string text_;
};

inline bool is_floating(Dtype dtype) {
  return dtype == Dtype::f32 || dtype == Dtype::f64 || dtype == Dtype::f16 || dtype == Dtype::bf16;
}

// Puts a file's tensors into the parameters that a model's visit() names.
template <class T>
class ParameterLoader {
 public:
  explicit ParameterLoader(std::shared_ptr<const TensorFile> file) : file_(std::move(file)) {}

  void operator()(const std::string& name, Parameter<T>& parameter) {
    names_.push_back(name);
    const TensorEntry* entry = file_->find(name);
    if (entry == nullptr) {
      if (!parameter.optional) faults_.add(name + " " + parameter.shape.to_string() + " is missing");
      return;
    }
    if (!is_floating(entry->dtype)) {
      faults_.add(name + " holds " + name_of(entry->dtype) + " instead of floating-point numbers");
      return;
    }
    if (!(entry->shape == parameter.shape)) {
      faults_.add(name + " is " + entry->shape.to_string() + " instead of " + parameter.shape.to_string());
      return;
    }
    parameter.value = values_of(*entry);
    for (T value : std::as_const(parameter.value).values())
      if (!std::isfinite(value)) {
        faults_.add(name + " holds a value that is not finite");
        return;
      }
  }

  void operator()(const std::string& name, Counter& counter) {
    names_.push_back(name);
    const TensorEntry* entry = file_->find(name);
    if (entry == nullptr) return;
    if (entry->shape.element_count() != 1)
      faults_.add(name + " is " + entry->shape.to_string() + " instead of one number");
    else
      copy_values(*entry, &counter.value);
  }

  void finish() {
    std::sort(names_.begin(), names_.end());
    for (const TensorEntry& entry : file_->entries())
      if (!std::binary_search(names_.begin(), names_.end(), entry.name))
        faults_.add(entry.name + " " + entry.shape.to_string() + " is unexpected");
    faults_.throw_if_any(file_->path);
  }

 private:
  // The stored bytes themselves where they are of type T and aligned to it; a converted copy otherwise.
  Tensor<T> values_of(const TensorEntry& entry) const {
    if (entry.dtype == DtypeOf<T>::value && reinterpret_cast<std::uintptr_t>(entry.data) % alignof(T) == 0)
      return Tensor<T>::view(reinterpret_cast<T*>(const_cast<std::byte*>(entry.data)), entry.shape, file_);
    Tensor<T> values = Tensor<T>::uninitialised(entry.shape);
    copy_values(entry, values.data());
    return values;
  }

  std::shared_ptr<const TensorFile> file_;
  std::vector<std::string> names_;
  TensorFaults faults_;
};

// How many layers "prefix<i>." a file has.
inline int count_layers(const TensorFile& file, const std::string& prefix) {
  int count = 0;
  for (const TensorEntry& entry : file.entries()) {
    if (entry.name.compare(0, prefix.size(), prefix) != 0) continue;
    std::size_t at = prefix.size();
    int index = 0;
    for (; at < entry.name.size() && entry.name[at] >= '0' && entry.name[at] <= '9' && index < 10000; ++at)
      index = 10 * index + (entry.name[at] - '0');
    if (at > prefix.size() && index + 1 > count) count = index + 1;
  }
  return count;
}

}  // namespace detail

// The config that a file's names and shapes imply. Throws InputError where they are those of no model known
// here.
inline ModelConfig infer_config(const TensorFile& file) {
  const auto shape_of = [&](const std::string& name, int rank) {
    const TensorEntry* entry = file.find(name);
    if (entry == nullptr || entry->shape.rank() != rank || entry->shape.element_count() == 0)
      throw InputError(file.path,
                       entry == nullptr ? "has no tensor " + name
                                        : "its tensor " + name + " has the shape " + entry->shape.to_string(),
                       "weights of an IMU2Music model with the convolutional encoder are wanted: imu_net.*, "
                       "transformer.encoder.*, transformer.decoder.*");
    return entry->shape;
  };
  const auto narrow = [&](std::int64_t size) {
    if (size > 1 << 20)
      throw InputError(file.path, "one of its tensors has an axis of " + std::to_string(size),
                       "sizes up to 2^20 are supported");
    return static_cast<int>(size);
  };
  const std::string decoder = "transformer.decoder.layers.", encoder = "transformer.encoder.layers.";
  shape_of("imu_net.individual_net1.0.weight", 4);
  const Shape embedding = shape_of("embedding.weight", 2);
  const Shape Er = shape_of(decoder + "0.self_attn.Er", 2);
  ModelConfig config;
  config.encoder = "conv";
  config.vocabulary = narrow(embedding[0]);
  config.d_model = narrow(embedding[1]);
  config.max_sequence = narrow(Er[0]);
  config.decoder_layers = detail::count_layers(file, decoder);
  config.encoder_layers = detail::count_layers(file, encoder);
  config.feed_forward = narrow(shape_of(decoder + "0.linear1.weight", 2)[0]);
  if (config.encoder_layers > 0) config.memory_positions = narrow(shape_of(encoder + "0.self_attn.Er", 2)[0]);
  if (config.d_model % Er[1] != 0)
    throw InputError(file.path,
                     "its width " + std::to_string(config.d_model) + " is no multiple of the head width " +
                         std::to_string(Er[1]) + " of " + decoder + "0.self_attn.Er",
                     "the two tensors belong to different models");
  config.heads = narrow(config.d_model / Er[1]);
  return config;
}

template <class T = float>
Imu2MusicModel<T> load_model(std::shared_ptr<const TensorFile> file) {
  const std::optional<ModelConfig> stored = config_of(*file);
  Imu2MusicModel<T> model(stored ? *stored : infer_config(*file));
  detail::ParameterLoader<T> loader(file);
  model.visit(loader);
  loader.finish();
  return model;
}

template <class T = float>
Imu2MusicModel<T> load_model(const std::string& path) {
  return load_model<T>(std::make_shared<const TensorFile>(read_weights(path)));
}

// An untrained model. Parameters depend on config and seed alone.
template <class T = float>
Imu2MusicModel<T> init_model(ModelConfig config, std::uint64_t seed) {
  config.untrained = true;
  Imu2MusicModel<T> model(config);
  std::uint64_t stream = 0;
  const auto initialise = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      if (!entry.optional) entry.initialize(Philox(seed, stream));
      ++stream;
    }
  };
  model.visit(initialise);
  return model;
}

// Writes every tensor under its state_dict name. Throws InputError where the file cannot be written.
template <class T>
void save_model(Imu2MusicModel<T>& model, const std::string& path) {
  std::vector<TensorEntry> entries;
  const auto collect = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>)
      entries.push_back({name, DtypeOf<T>::value, entry.shape,
                         reinterpret_cast<const std::byte*>(entry.value.data()),
                         entry.value.size() * static_cast<std::int64_t>(sizeof(T))});
    else
      entries.push_back({name, Dtype::i64, Shape{}, reinterpret_cast<const std::byte*>(&entry.value), 8});
  };
  model.visit(collect);
  write_safetensors(path, entries, {{"format", "pt"}, {config_metadata_key, to_json(model.config)}});
}

}  // namespace imu2music::inline v0
