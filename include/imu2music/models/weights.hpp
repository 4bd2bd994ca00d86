// Weights into and out of a model.
//
//   init_model(config, seed)   an untrained model, every parameter from its own random stream
//   load_model(path, format)   from safetensors (mapped) or a PyTorch checkpoint, ready to play: dense
//                              layers' weights are packed, in the format asked for, the others are read in
//                              place
//   pack_weights(model)        the same for an untrained model
//   save_model(model, path)    to safetensors, the config in the metadata under "imu2music.config"
//   count_weights(model)       how many numbers and tensors those are
//
// The config of a file that carries none is inferred from the names and shapes of its tensors. Loading
// compares all of them before anything is used, and throws one InputError that lists every tensor missing,
// unexpected, mis-shaped, of a wrong type or not finite: nothing is left silently at its initial value.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/core/dtype.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/io/weights_file.hpp"
#include "imu2music/models/model.hpp"

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

// To pack these parameters side by side in one block. A block of some size is made of whole huge pages; a
// small one is not worth it.
template <class T>
Context packing_context(const std::vector<Parameter<T>*>& parameters, WeightFormat format) {
  std::size_t bytes = 0;
  for (const Parameter<T>* parameter : parameters) bytes += parameter->packed_bytes(format);
  if (bytes >= huge_page / 2) bytes = (bytes + huge_page - 1) / huge_page * huge_page;
  Context context;
  context.set_lasting(std::make_shared<Arena>(bytes));
  return context;
}

// Puts a file's tensors into the parameters that a model's visit() names.
template <class T>
class ParameterLoader {
 public:
  ParameterLoader(std::shared_ptr<const TensorFile> file, WeightFormat format)
      : file_(std::move(file)), format_(format) {}

  void operator()(const std::string& name, Parameter<T>& parameter) {
    names_.push_back(name);
    const TensorEntry* entry = file_->find(name);
    if (entry == nullptr) {
      if (parameter.formula == nullptr)
        faults_.add(name + " " + parameter.shape.to_string() + " is missing");
      else
        computed_.push_back(&parameter);
      return;
    }
    if (!is_floating(entry->dtype)) {
      faults_.add(name + " holds " + name_of(entry->dtype) + " instead of floating-point numbers");
      return;
    }
    if (!fits(entry->shape, parameter)) {
      faults_.add(name + " is " + entry->shape.to_string() + " instead of " + parameter.shape.to_string());
      return;
    }
    parameter.shape = entry->shape;
    parameter.value = values_of(*entry);
    for (T value : std::as_const(parameter.value).values())
      if (!std::isfinite(value)) {
        faults_.add(name + " holds a value that is not finite");
        return;
      }
    if (!parameter.packs()) {
      read_in_place_.push_back(&parameter);
      return;
    }
    to_pack_.push_back(&parameter);
    file_->release_pages();  // so that at no time the file and what is packed of it are in memory whole
  }

  void operator()(const std::string& name, Counter& counter) {
    names_.push_back(name);
    const TensorEntry* entry = file_->find(name);
    if (entry == nullptr) return;
    if (entry->shape.element_count() != 1) {
      faults_.add(name + " is " + entry->shape.to_string() + " instead of one number");
      return;
    }
    double count = 0;
    copy_values(*entry, &count);
    if (count >= 0 && count == std::floor(count) && count < 0x1p63)
      copy_values(*entry, &counter.value);
    else
      faults_.add(name + " holds " + number_text(count) + " instead of a count");
  }

  void finish() {
    std::sort(names_.begin(), names_.end());
    for (const TensorEntry& entry : file_->entries())
      if (!std::binary_search(names_.begin(), names_.end(), entry.name))
        faults_.add(printable(entry.name) + " " + entry.shape.to_string() + " is unexpected");
    faults_.throw_if_any(file_->path);
    for (Parameter<T>* parameter : computed_) parameter->value = parameter->formula(parameter->shape);
    Context context = packing_context<T>(to_pack_, format_);
    for (Parameter<T>* parameter : to_pack_) {
      parameter->pack(context, format_);
      file_->release_pages();
    }
    for (const Parameter<T>* parameter : read_in_place_) read_pages(parameter->value);
  }

 private:
  // So that no step waits for the disk.
  static void read_pages(const Tensor<T>& values) {
    constexpr std::int64_t page = 4096 / sizeof(T);
    const volatile T* data = values.data();
    for (std::int64_t i = 0; i < values.size(); i += page) static_cast<void>(data[i]);
  }

  static bool fits(const Shape& shape, const Parameter<T>& parameter) {
    if (shape.rank() != parameter.shape.rank()) return false;
    for (int axis = 0; axis < shape.rank(); ++axis)
      if (axis == parameter.free_axis ? shape[axis] < 1 : shape[axis] != parameter.shape[axis]) return false;
    return true;
  }

  // The stored bytes themselves where they are of type T and aligned to it; a converted copy otherwise.
  Tensor<T> values_of(const TensorEntry& entry) const {
    if (entry.dtype == DtypeOf<T>::value && reinterpret_cast<std::uintptr_t>(entry.data) % alignof(T) == 0)
      return Tensor<T>::view(reinterpret_cast<T*>(const_cast<std::byte*>(entry.data)), entry.shape, file_);
    Tensor<T> values = Tensor<T>::uninitialised(entry.shape);
    copy_values(entry, values.data());
    return values;
  }

  std::shared_ptr<const TensorFile> file_;
  WeightFormat format_;
  std::vector<std::string> names_;
  std::vector<Parameter<T>*> to_pack_, read_in_place_;
  std::vector<Parameter<T>*> computed_;  // lacking, and following from a formula
  TensorFaults faults_;
};

// How many layers "prefix<i>" a file has.
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

// Reads a config off the names and shapes of a file's tensors.
class ConfigInference {
 public:
  explicit ConfigInference(const TensorFile& file) : file_(file) {}

  ModelConfig result() {
    choose_model();
    const Shape embedding = shape_of("embedding.weight", 2);
    config_.vocabulary = narrow(embedding[0]);
    config_.d_model = narrow(embedding[1]);
    config_.control = has("concat_fc.0.weight");
    if (config_.model == "lstm_seq2seq")
      read_lstm();
    else
      read_transformer();
    read_encoder();
    // Within the bounds of a config: a tensor named layers.9999 must not make ten thousand layers.
    return parse_model_config(to_json(config_), file_.path);
  }

 private:
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  // By a tensor that each kind has and no other.
  void choose_model() {
    for (const auto& [name, encoder] : {std::pair{"imu_net.individual_net1.0.weight", "conv"},
                                        {"imu_net.conv.weight", "fully_connected"},
                                        {"imu_net.generator.conv1.weight", "conv_transformer"},
                                        {"pose_net.data_bn.weight", "pose"},
                                        {"imu_net.stem.weight", "temporal"}})
      if (has(name)) {
        config_.encoder = encoder;
        config_.model = has("transformer.encoder.lstm.weight_ih_l0") ? "lstm_seq2seq" : "encoder_decoder";
        return;
      }
    if (!has("embedding.weight") || !has(encoder_layers + "0.self_attn.Er"))
      throw InputError(
          file_.path,
          "its " + std::to_string(file_.entries().size()) + " tensors are those of no model known here",
          "an encoder (imu_net.individual_net1.*, imu_net.conv.*, imu_net.generator.*, imu_net.stem.* "
          "or pose_net.*) with transformer.*, or embedding.weight with transformer.encoder.* alone, "
          "is wanted");
    config_.model = "music_transformer";
    config_.encoder = "none";
  }

  void read_transformer() {
    const bool alone = config_.model == "music_transformer";
    const std::string layers = alone ? encoder_layers : decoder_layers;
    const Shape Er = shape_of(layers + "0.self_attn.Er", 2);
    config_.max_sequence = narrow(Er[0]);
    config_.decoder_layers = count_layers(file_, layers);
    config_.encoder_layers = alone ? 0 : count_layers(file_, encoder_layers);
    config_.feed_forward = narrow(shape_of(layers + "0.linear1.weight", 2)[0]);
    if (config_.encoder_layers > 0)
      config_.memory_positions = narrow(shape_of(encoder_layers + "0.self_attn.Er", 2)[0]);
    if (config_.d_model % Er[1] != 0)
      throw InputError(file_.path,
                       "its width " + std::to_string(config_.d_model) + " is no multiple of the head width " +
                           std::to_string(Er[1]) + " of " + layers + "0.self_attn.Er",
                       "the two tensors belong to different models");
    config_.heads = narrow(config_.d_model / Er[1]);
  }

  void read_lstm() {
    config_.max_sequence = narrow(shape_of("positional_encoding.pe", 3)[0]);
    config_.encoder_layers = count_layers(file_, "transformer.encoder.lstm.weight_ih_l");
    config_.decoder_layers = count_layers(file_, "transformer.decoder.lstm.weight_ih_l");
    config_.heads = 1;
    config_.feed_forward = 2 * config_.d_model;
    if (config_.encoder_layers != config_.decoder_layers)
      throw InputError(file_.path,
                       "has " + std::to_string(config_.encoder_layers) + " LSTM layers in the encoder and " +
                           std::to_string(config_.decoder_layers) + " in the decoder",
                       "the decoder starts from the encoder's state, so both need as many");
  }

  void read_encoder() {
    if (config_.encoder == "conv") {
      if (shape_of("imu_net.fcn.weight", 2)[1] == FrequencyEncoder<float>::token_width)
        config_.encoder = "frequency";
    } else if (config_.encoder == "conv_transformer") {
      config_.rows = narrow(shape_of("imu_net.Encoder.layers.0.0.fn.norm.weight", 3)[1]);
      config_.memory_positions = std::max(config_.memory_positions, narrow(config_.rows * 150));
    } else if (config_.encoder == "pose") {
      const std::int64_t values = shape_of("pose_net.data_bn.weight", 1)[0];
      const Shape importance = shape_of("pose_net.edge_importance.0", 3);
      config_.layout = layout_of(importance[1]);
      if (config_.layout.empty() || skeleton_graph(config_.layout).channels * importance[1] != values)
        throw InputError(file_.path,
                         "its skeleton has " + std::to_string(importance[1]) + " nodes and " +
                             std::to_string(values) + " values",
                         "body25 (25 nodes, 75 values), hands (42, 84) and body65 (65, 195) are known");
      config_.pose_layers =
          std::min(PoseEncoder<float>::most_layers, count_layers(file_, "pose_net.st_gcn_networks."));
    } else if (config_.encoder == "temporal") {
      const Shape stem = shape_of("imu_net.stem.weight", 3);
      config_.width = narrow(stem[0]), config_.channels = narrow(stem[1]), config_.kernel = narrow(stem[2]);
      config_.blocks = count_layers(file_, "imu_net.blocks.");
      const int halvings = count_layers(file_, "imu_net.halvings.");
      if (halvings < 1 || halvings > 4 || config_.blocks < 1 || config_.blocks > 16)
        throw InputError(file_.path,
                         "its temporal encoder has " + std::to_string(halvings) + " halvings and " +
                             std::to_string(config_.blocks) + " blocks",
                         "1 to 4 halvings and 1 to 16 blocks are right");
      config_.rate_hz = 25 << (halvings - 1);
      read_channels();
    }
  }

  // Sensors with six channels each are the likeliest, then with an orientation, then with one quantity.
  void read_channels() {
    for (const char* quantities :
         {"acceleration+angular_velocity", "acceleration+angular_velocity+orientation", "acceleration"}) {
      const int each = channels_per_sensor(quantities);
      if (config_.channels % each != 0 || config_.channels / each > 8) continue;
      config_.quantities = quantities;
      config_.sensors = config_.channels / each;
      config_.window_ms =
          std::clamp(80 * config_.memory_positions, 1000, config_.window_ms);  // 12.5 tokens a second
      return;
    }
    throw InputError(file_.path, "its temporal encoder has " + std::to_string(config_.channels) + " channels",
                     "1 to 8 sensors with 3, 6 or 10 channels each are right");
  }

  Shape shape_of(const std::string& name, int rank) const {
    const TensorEntry* entry = file_.find(name);
    if (entry == nullptr || entry->shape.rank() != rank || entry->shape.element_count() == 0)
      throw InputError(file_.path,
                       entry == nullptr ? "has no tensor " + name
                                        : "its tensor " + name + " has the shape " + entry->shape.to_string(),
                       "its other tensors are those of a " + config_.model +
                           (config_.encoder == "none" ? "" : " with the encoder " + config_.encoder));
    return entry->shape;
  }

  int narrow(std::int64_t size) const {
    if (size > 1 << 20)
      throw InputError(file_.path, "one of its tensors has an axis of " + std::to_string(size),
                       "sizes up to 2^20 are supported");
    return static_cast<int>(size);
  }

  const std::string encoder_layers = "transformer.encoder.layers.",
                    decoder_layers = "transformer.decoder.layers.";
  const TensorFile& file_;
  ModelConfig config_;
};

}  // namespace detail

namespace detail {

// Before a model is made of them: a few bytes of a config must not make thousands of layers and heads that no
// tensor of the file belongs to. Every layer has several tensors, and so has every head of a ConvTransformer.
inline void check_layer_count(const ModelConfig& config, const TensorFile& file) {
  std::size_t parts = static_cast<std::size_t>(config.encoder_layers + config.decoder_layers);
  if (config.encoder == "conv_transformer")
    parts += static_cast<std::size_t>(config.decoder_layers) * static_cast<std::size_t>(config.heads);
  if (parts > file.entries().size())
    throw InputError(file.path,
                     "its config is of " + std::to_string(parts) + " layers and heads, and it has " +
                         std::to_string(file.entries().size()) +
                         (file.entries().size() == 1 ? " tensor" : " tensors"),
                     "weights and config belong to different models, or the file was cut off");
}

}  // namespace detail

// The config that a file's names and shapes imply. Throws InputError where they are those of no model known
// here.
inline ModelConfig infer_config(const TensorFile& file) { return detail::ConfigInference(file).result(); }

template <class T = float>
Model<T> load_model(std::shared_ptr<const TensorFile> file, WeightFormat format = WeightFormat::plain) {
  if (file->metadata.contains("imu2music.progress"))  // train/checkpoint.hpp
    throw InputError(file->path, "is the state of a training run, kept to go on with it",
                     "its weights are best.safetensors and last.safetensors beside it");
  const std::optional<ModelConfig> stored = config_of(*file);
  const ModelConfig config = stored ? *stored : infer_config(*file);
  check_memory_positions(config, file->path);
  detail::check_layer_count(config, *file);
  Model<T> model(config);
  detail::ParameterLoader<T> loader(file, format);
  model.visit(loader);
  loader.finish();
  return model;
}

template <class T = float>
Model<T> load_model(const std::string& path, WeightFormat format = WeightFormat::plain) {
  return load_model<T>(std::make_shared<const TensorFile>(read_weights(path)), format);
}

// Packs the dense layers' weights, anew where they are packed already. A model that is to be played should be
// packed; one that is to be trained need not.
template <class T>
void pack_weights(Model<T>& model, WeightFormat format = WeightFormat::plain) {
  std::vector<Parameter<T>*> parameters;
  const auto add = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) parameters.push_back(&entry);
  };
  model.visit(add);
  Context context = detail::packing_context<T>(parameters, format);
  for (Parameter<T>* parameter : parameters) parameter->pack(context, format);
}

// Brings a model's parameters to a device, where it computes from then on: Session, Learner and
// WindowLikelihoods follow Model::device(). Dense weights in the format given. Throws DeviceError where there
// is no such device.
template <class T>
void to_device(Model<T>& model, Device device, WeightFormat format = WeightFormat::plain) {
  if (device == model.device()) return;
  Context context(1, device);
  const auto move = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      entry.unpack();
      if (entry.on_host) return;
      entry.value = on_device_of(context, entry.value);
      // A plain matrix is used as it stands; a convolution's weight is put in order once.
      if (format != WeightFormat::plain || entry.shape.rank() == 3) entry.pack(context, format);
    }
  };
  model.visit(move);
  synchronise(context);  // other queues may read them now
}

// An untrained model. Parameters depend on config and seed alone. Throws InputError for a config that no file
// may have, so that what is saved of it can be loaded.
template <class T = float>
Model<T> init_model(ModelConfig config, std::uint64_t seed) {
  config.untrained = true;
  Model<T> model(parse_model_config(to_json(config), "the model's config"));
  std::uint64_t stream = 0;
  const auto initialise = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      entry.initialize(Philox(seed, stream));
      ++stream;
    }
  };
  model.visit(initialise);
  return model;
}

// A model with parameters of its own, not packed, where the other has them.
template <class T>
Model<T> clone_model(const Model<T>& model) {
  Model<T> clone = model;
  Context context(1, model.device());
  const auto take = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      entry.unpack();
      const Tensor<T> values = entry.value;
      if (values.device() == Device::cpu()) {
        entry.value = values.clone();
      } else {
        entry.value = context.allocate<T>(values.shape());
        copy(context, values, entry.value);
      }
    }
  };
  clone.visit(take);
  synchronise(context);
  return clone;
}

// Writes every tensor under its state_dict name. Of a model on a device, all work on its parameters must be
// done (synchronise()). `metadata` goes into the file as it is. Throws InputError where the file cannot be
// written.
template <class T>
void save_model(Model<T>& model, const std::string& path, std::map<std::string, std::string> metadata = {}) {
  Context context(1, model.device());
  std::vector<TensorEntry> entries;
  std::vector<Tensor<T>> here;  // what the entries point to
  const auto collect = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      here.push_back(on_host(context, entry.value));
      entries.push_back({name, DtypeOf<T>::value, entry.shape,
                         reinterpret_cast<const std::byte*>(here.back().data()),
                         entry.value.size() * static_cast<std::int64_t>(sizeof(T))});
    } else {
      entries.push_back({name, Dtype::i64, Shape{}, reinterpret_cast<const std::byte*>(&entry.value), 8});
    }
  };
  model.visit(collect);
  metadata["format"] = "pt";
  metadata[config_metadata_key] = to_json(model.config);
  write_safetensors(path, entries, metadata);
}

struct WeightCount {
  std::int64_t parameters = 0;  // numbers that are learnt: no statistics, no sinusoids
  std::int64_t tensors = 0;     // of a file, counters included
};

template <class T>
WeightCount count_weights(Model<T>& model) {
  WeightCount count;
  const auto add = [&]<class Entry>(const std::string&, Entry& entry) {
    ++count.tensors;
    if constexpr (std::is_same_v<Entry, Parameter<T>>)
      if (entry.trainable) count.parameters += entry.shape.element_count();
  };
  model.visit(add);
  return count;
}

}  // namespace imu2music::inline v0
