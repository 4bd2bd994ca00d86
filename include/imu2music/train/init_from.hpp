// Weights of another model as the beginning of a new one, tensor by tensor.
//
// A tensor is taken where the file has one of its name and shape. `part` "decoder" takes what writes the
// music (embedding, decoder, output projection, control) and nothing else, "encoder" what hears the motion;
// empty: all. Buffers such as running statistics and positions go with their part.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/models/model.hpp"
#include "imu2music/models/weights.hpp"

namespace imu2music::inline v0 {

struct TransferredTensor {
  std::string name;
  bool taken = false;
  std::string reason;  // why not
};

// Whether a tensor of a model of this config belongs to what hears the motion.
inline bool is_encoder_tensor(const ModelConfig& config, std::string_view name) {
  return name.starts_with("imu_net.") || name.starts_with("pose_net.") ||
         (config.encoder != "none" && name.starts_with("transformer.encoder."));
}

// Every tensor of the model, in its order. Throws InputError where nothing at all could be taken, one that
// could holds a value that is not finite, or the file is a run's state, which does not say what it learnt
// from; the model is then as it was.
template <class T>
std::vector<TransferredTensor> transfer_weights(Model<T>& model, const TensorFile& file,
                                                std::string_view part = "") {
  if (file.metadata.contains("imu2music.progress"))  // train/checkpoint.hpp
    throw InputError(file.path, "is the state of a training run",
                     "begin with its best.safetensors or last.safetensors");
  std::vector<TransferredTensor> rows;
  std::vector<std::pair<Parameter<T>*, Tensor<T>>> taken;
  std::vector<std::pair<Counter*, const TensorEntry*>> counters;
  const auto take = [&]<class Entry>(const std::string& name, Entry& entry) {
    TransferredTensor row{name, false, ""};
    const TensorEntry* stored = file.find(name);
    const bool encoder = is_encoder_tensor(model.config, name);
    if ((part == "decoder" && encoder) || (part == "encoder" && !encoder)) {
      row.reason = "not part of the " + std::string(part);
    } else if (stored == nullptr) {
      row.reason = "not in the file";
    } else if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      if (!(stored->shape == entry.shape)) {
        row.reason = "is " + stored->shape.to_string() + " in the file, " + entry.shape.to_string() + " here";
      } else if (!is_floating(stored->dtype)) {
        row.reason = std::string("holds ") + name_of(stored->dtype) + " in the file";
      } else {
        Tensor<T> values = Tensor<T>::uninitialised(entry.shape);
        copy_values(*stored, values.data());
        for (const T value : values.values())
          if (!std::isfinite(value))
            throw InputError(file.path, "tensor " + name + " holds a value that is not finite",
                             "weights to begin with must be finite");
        taken.emplace_back(&entry, std::move(values));
        row.taken = true;
      }
    } else if (stored->shape.element_count() == 1) {
      counters.emplace_back(&entry, stored);
      row.taken = true;
    }
    rows.push_back(row);
  };
  model.visit(take);
  if (taken.empty())
    throw InputError(file.path, "has no tensor that fits this model",
                     "use weights of the same names and sizes: imu2music inspect lists them");
  for (auto& [parameter, values] : taken) {
    parameter->unpack();
    parameter->value = std::move(values);
  }
  for (const auto& [counter, stored] : counters) copy_values(*stored, &counter->value);
  return rows;
}

}  // namespace imu2music::inline v0
