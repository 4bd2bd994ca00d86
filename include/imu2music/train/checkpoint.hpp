// A training run's state on disk, from which it goes on exactly as if it had never stopped.
//
// One safetensors file: every tensor of the model under its state_dict name, the moments of Adam under
// "first_moment.<name>" and "second_moment.<name>", and in the metadata the config ("imu2music.training",
// JSON) and how far the run is ("imu2music.progress"). Random numbers need no state: they are functions of
// (seed, step). Files are replaced as a whole (io/atomic_file.hpp), so a full disk or a kill leaves the one
// before.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/train/learner.hpp"
#include "imu2music/train/training_config.hpp"

namespace imu2music::inline v0 {

struct TrainingProgress {
  std::int64_t step = 0;
  double best_nll = std::numeric_limits<double>::infinity();  // of a validation
  std::int64_t best_step = 0;
  std::int64_t worse_validations = 0;  // since the best
  double seconds = 0;                  // spent so far
  std::string data_hash;               // of the split
};

namespace checkpoint_detail {

inline std::string exact(double value) {
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// "step 12;best_nll 3.5;…"
inline std::string to_text(const TrainingProgress& p) {
  return "step " + std::to_string(p.step) + ";best_nll " + exact(p.best_nll) + ";best_step " +
         std::to_string(p.best_step) + ";worse_validations " + std::to_string(p.worse_validations) +
         ";seconds " + exact(p.seconds) + ";data_hash " + p.data_hash;
}

inline TrainingProgress progress_from(const std::string& text, const std::string& path) {
  const auto field = [&](const std::string& name) {
    const std::size_t at = (";" + text).find(";" + name + " ");
    if (at == std::string::npos)
      throw InputError(path, "its progress has no " + name, "it is damaged: use another checkpoint");
    const std::size_t begin = at + name.size() + 1;
    return text.substr(begin, text.find(';', begin) - begin);
  };
  const auto number = [&](const std::string& name, auto& value) {
    const std::string digits = field(name);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size())
      throw InputError(path, "its progress has the " + name + " " + in_quotes(digits),
                       "it is damaged: use another checkpoint");
  };
  TrainingProgress p;
  number("step", p.step);
  number("best_nll", p.best_nll);
  number("best_step", p.best_step);
  number("worse_validations", p.worse_validations);
  number("seconds", p.seconds);
  p.data_hash = field("data_hash");
  const auto within = [](auto value, auto most) { return value >= 0 && value <= most; };
  if (!within(p.step, training_config_detail::many) || !within(p.best_step, p.step) ||
      !within(p.worse_validations, p.step) || !within(p.seconds, 1e12) || std::isnan(p.best_nll))
    throw InputError(path, "its progress is none that a run can have: " + printable(text),
                     "it is damaged: use another checkpoint");
  return p;
}

template <class T>
TensorEntry entry_of(const std::string& name, const Tensor<T>& tensor) {
  return {name, DtypeOf<T>::value, tensor.shape(), reinterpret_cast<const std::byte*>(tensor.data()),
          tensor.size() * static_cast<std::int64_t>(sizeof(T))};
}

}  // namespace checkpoint_detail

constexpr const char* training_metadata_key = "imu2music.training";
constexpr const char* progress_metadata_key = "imu2music.progress";

// `metadata`: what else the file should say. Throws InputError where it cannot be written; the one before is
// then still there.
template <class T>
void save_checkpoint(Learner<T>& learner, const TrainingConfig& config, const TrainingProgress& progress,
                     const std::string& path, std::map<std::string, std::string> metadata = {}) {
  std::vector<TensorEntry> entries;
  std::vector<Tensor<T>> here;  // what the entries point to
  const auto add = [&](const std::string& name, const Tensor<T>& value) {
    here.push_back(on_host(learner.context(), value));
    entries.push_back(checkpoint_detail::entry_of(name, here.back()));
  };
  const auto collect = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>)
      add(name, entry.value);
    else
      entries.push_back({name, Dtype::i64, Shape{}, reinterpret_cast<const std::byte*>(&entry.value), 8});
  };
  learner.model().visit(collect);
  for (const LearntParameter<T>& p : learner.parameters()) {
    add("first_moment." + p.name, p.first_moment);
    add("second_moment." + p.name, p.second_moment);
  }
  metadata[training_metadata_key] = to_json(config);
  metadata[progress_metadata_key] = checkpoint_detail::to_text(progress);
  write_safetensors(path, entries, metadata);
}

// The config that a checkpoint was made with. Throws InputError where the file is none.
inline TrainingConfig checkpoint_config(const TensorFile& file) {
  const auto found = file.metadata.find(training_metadata_key);
  if (found == file.metadata.end())
    throw InputError(file.path, "is no checkpoint of a training run",
                     "one is RUN/state.safetensors, which `train` writes");
  return parse_training_config(found->second, file.path);
}

// How far the run was. Throws InputError where the file does not tell, or tells what no run can have.
inline TrainingProgress checkpoint_progress(const TensorFile& file) {
  const auto found = file.metadata.find(progress_metadata_key);
  if (found == file.metadata.end())
    throw InputError(file.path, "says nothing of its progress", "it is damaged: use another checkpoint");
  return checkpoint_detail::progress_from(found->second, file.path);
}

// Brings model and moments to the checkpoint's state. Throws InputError that lists every tensor that does not
// fit; then nothing has been changed but what was listed before it.
template <class T>
TrainingProgress load_checkpoint(const TensorFile& file, Learner<T>& learner) {
  const TrainingProgress progress = checkpoint_progress(file);
  detail::TensorFaults faults;
  std::vector<std::pair<const TensorEntry*, Tensor<T>>> values;
  std::vector<std::pair<const TensorEntry*, std::int64_t*>> counts;
  const auto want = [&](const std::string& name, Tensor<T>& tensor) {
    const TensorEntry* entry = file.find(name);
    if (entry == nullptr)
      faults.add(name + " is missing");
    else if (entry->dtype != DtypeOf<T>::value || !(entry->shape == tensor.shape()))
      faults.add(name + " is " + name_of(entry->dtype) + " " + entry->shape.to_string() + " instead of " +
                 name_of(DtypeOf<T>::value) + " " + tensor.shape().to_string());
    else
      values.emplace_back(entry, tensor);
  };
  const auto all_finite = [&](const std::string& name) {
    const std::vector<T> stored = values_of<T>(*file.find(name));
    return std::all_of(stored.begin(), stored.end(), [](T value) { return std::isfinite(value); });
  };
  const auto restore = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<T>>) {
      const std::size_t fitting = values.size();
      want(name, entry.value);
      if (values.size() > fitting && !all_finite(name)) faults.add(name + " has values that are not finite");
    } else {
      const TensorEntry* stored = file.find(name);
      if (stored == nullptr || stored->shape.element_count() != 1 || stored->dtype != Dtype::i64)
        faults.add(name + " is missing or no whole number");
      else
        counts.emplace_back(stored, &entry.value);
    }
  };
  learner.model().visit(restore);
  for (LearntParameter<T>& p : learner.parameters()) {
    want("first_moment." + p.name, p.first_moment);
    want("second_moment." + p.name, p.second_moment);
  }
  faults.throw_if_any(file.path);
  for (auto& [entry, target] : values) {
    if (target.device() == Device::cpu()) {
      copy_values(*entry, target.data());
      continue;
    }
    Tensor<T> stored = Tensor<T>::uninitialised(target.shape());
    copy_values(*entry, stored.data());
    copy(learner.context(), on_device_of(learner.context(), stored), target);
  }
  for (const auto& [entry, target] : counts) copy_values(*entry, target);
  learner.set_steps(progress.step);
  return progress;
}

}  // namespace imu2music::inline v0
