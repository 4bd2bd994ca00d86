#include "verify_training.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "imu2music/train/learner.hpp"

namespace imu2music {

namespace {

constexpr int steps = 3;
constexpr AdamOptions adam = {
    .learning_rate = 3e-4, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-9, .weight_decay = 1e-5};

double norm(const Tensor<double>& x) {
  double sum = 0;
  for (double value : x.values()) sum += value * value;
  return std::sqrt(sum);
}

template <class T>
Tensor<double> in_double(const Tensor<T>& x) {
  Tensor<double> result = Tensor<double>::uninitialised(x.shape());
  for (std::int64_t i = 0; i < x.size(); ++i) result[i] = static_cast<double>(x[i]);
  return result;
}

template <class T>
class TrainingCheck {
 public:
  TrainingCheck(const std::string& weights, const Expected& expected, int threads, Device device,
                kernels::MatrixPrecision products = kernels::MatrixPrecision::float32)
      : expected_(expected),
        rounded_(products != kernels::MatrixPrecision::float32),
        model_(load_model<T>(weights)),
        learner_(model_, threads, device) {
    learner_.context().set_matrices(products);
  }

  std::vector<Row> run() {
    const char* wanted[] = {"tokens_in", "tokens_out"};
    for (const char* name : wanted)
      if (!expected_.has(name)) return {absent("logits_train", std::string("there are no ") + name)};
    if (model_.has_memory() && !expected_.has("input"))
      return {absent("logits_train", "there is no input to compute it from")};
    const TrainingBatch<T> batch = read_batch();
    const std::int64_t counted = batch.counted(model_.pad());
    if (counted == 0)
      throw InputError(expected_.file().path, "tensor tokens_out is padding only",
                       "a loss needs at least one target");
    std::vector<double> losses;
    std::map<std::string, Tensor<double>> gradients;
    Tensor<T> logits;
    for (int step = 0; step < steps; ++step) {
      const CrossEntropySums sums =
          learner_.add_gradients(batch, 1.0 / static_cast<double>(counted), 0, step == 0 ? &logits : nullptr);
      losses.push_back(sums.nll / static_cast<double>(counted));
      if (step == 0) {
        check({"logits_train"}, {{"logits_train", in_double(logits)}});
        for (const LearntParameter<T>& p : learner_.parameters())
          gradients["grad." + p.name] = in_double(on_host(learner_.context(), p.gradient));
        check(names_with("grad."), gradients);
      }
      learner_.step(adam);
    }
    check_losses(losses);
    check(names_with("after."), state());
    return std::move(rows_);
  }

 private:
  static constexpr bool exact = std::is_same_v<T, double>;

  TrainingBatch<T> read_batch() const {
    TrainingBatch<T> batch;
    if (model_.has_memory()) {
      batch.input = expected_.values<T>("input");
      expected_.require(model_.takes(batch.input.shape()), "input", model_.input_wanted());
    }
    batch.tokens = expected_.tokens("tokens_in", model_.config.vocabulary);
    batch.targets = expected_.tokens("tokens_out", model_.config.vocabulary);
    const std::int64_t B = model_.has_memory()        ? batch.input.dim(0)
                           : batch.tokens.rank() == 2 ? batch.tokens.dim(0)
                                                      : 1;
    expected_.require(batch.tokens.rank() == 2 && batch.tokens.dim(0) == B && B >= 1 &&
                          batch.tokens.dim(1) >= 1 && batch.tokens.dim(1) <= model_.config.max_sequence,
                      "tokens_in",
                      "(" + std::to_string(B) + ", 1 to " + std::to_string(model_.config.max_sequence) + ")");
    expected_.require(batch.targets.shape() == batch.tokens.shape(), "tokens_out",
                      batch.tokens.shape().to_string());
    if (model_.config.control && expected_.has("control")) {
      batch.control = expected_.values<T>("control");
      const Shape wanted{B, batch.tokens.dim(1), ControlInput<T>::classes};
      expected_.require(batch.control.shape() == wanted, "control", wanted.to_string());
    }
    return batch;
  }

  std::vector<std::string> names_with(const std::string& prefix) const {
    std::vector<std::string> names;
    for (const TensorEntry& entry : expected_.file().entries())
      if (entry.name.starts_with(prefix)) names.push_back(entry.name);
    return names;
  }

  // The model's tensors after training, by the names of the expected ones.
  std::map<std::string, Tensor<double>> state() {
    std::map<std::string, Tensor<double>> values;
    const auto collect = [&]<class Entry>(const std::string& name, Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<T>>)
        values["after." + name] = in_double(on_host(learner_.context(), entry.value));
      else
        values["after." + name] =
            Tensor<double>::from(std::vector<double>{static_cast<double>(entry.value)}, Shape{});
    };
    model_.visit(collect);
    return values;
  }

  // Tensors of one kind, each by its norm.
  void check(const std::vector<std::string>& names, const std::map<std::string, Tensor<double>>& got) {
    double largest = 0;
    for (const std::string& name : names)
      if (expected_.has(name)) largest = std::max(largest, norm(expected_.values<double>(name)));
    for (const std::string& name : names) {
      if (!expected_.has(name)) {
        rows_.push_back(absent(labelled(name), "not in " + expected_.file().path));
        continue;
      }
      const Tensor<double> wanted = expected_.values<double>(name);
      const auto found = got.find(name);
      Row row{labelled(name)};
      if (found == got.end()) {
        row.passed = false;
        row.note = "this model has no such tensor that is trained";
        rows_.push_back(row);
        continue;
      }
      const Tensor<double>& values = found->second;
      expected_.require(values.size() == wanted.size(), name, values.shape().to_string());
      double squares = 0;
      for (std::int64_t i = 0; i < wanted.size(); ++i) {
        const double error = std::abs(values[i] - wanted[i]);
        squares += error * error;
        row.max_abs_error =
            std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(row.max_abs_error, error);
      }
      const double own = norm(wanted), distance = std::sqrt(squares);
      row.max_rel_error = own > 0 ? distance / own : distance;
      row.passed = std::isfinite(distance) && std::isfinite(largest) &&
                   distance <= (exact      ? 1e-6 * own + 1e-9 * largest
                                : rounded_ ? 2e-2 * own + 1e-3 * largest
                                           : 1e-2 * own + 1e-6 * largest);
      if (!row.passed)
        row.note = "norm " + std::to_string(own) + ", of the difference " + std::to_string(distance);
      rows_.push_back(row);
    }
  }

  void check_losses(const std::vector<double>& losses) {
    const std::string name = "losses_train";
    if (!expected_.has(name)) {
      rows_.push_back(absent(labelled(name), "not in " + expected_.file().path));
      return;
    }
    const Tensor<double> wanted = expected_.values<double>(name);
    expected_.require(wanted.size() == steps, name, "(" + std::to_string(steps) + ")");
    Row row{labelled(name)};
    for (int i = 0; i < steps; ++i) {
      const double error = std::abs(losses[static_cast<std::size_t>(i)] - wanted[i]);
      row.max_abs_error =
          std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(row.max_abs_error, error);
      row.max_rel_error = std::max(row.max_rel_error, error / std::abs(wanted[i]));
      row.passed = row.passed && error <= (exact ? 1e-6 * std::abs(wanted[i]) : rounded_ ? 2e-2 : 1e-4);
    }
    rows_.push_back(row);
  }

  static std::string labelled(const std::string& name) { return (exact ? "double " : "float ") + name; }

  const Expected& expected_;
  bool rounded_;
  Model<T> model_;
  Learner<T> learner_;
  std::vector<Row> rows_;
};

}  // namespace

std::vector<Row> verify_training(const std::string& weights, const std::string& expected_path, int threads,
                                 const std::string& precision, Device device,
                                 kernels::MatrixPrecision products) {
  const Expected expected(expected_path);
  std::vector<Row> rows;
  const auto add = [&](const std::vector<Row>& more) { rows.insert(rows.end(), more.begin(), more.end()); };
  if (precision == "double" || precision == "both")
    add(TrainingCheck<double>(weights, expected, threads, Device::cpu()).run());
  if (precision != "double") add(TrainingCheck<float>(weights, expected, threads, device, products).run());
  return rows;
}

}  // namespace imu2music
