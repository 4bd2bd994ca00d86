// The training run: steps, validation, checkpoints and a log, in a folder of its own.
//
//   RUN/config.json           what the run was told
//   RUN/log.jsonl             one JSON object a line: {"step", "loss", "nll", "learning_rate",
//                             "gradient_norm", "tokens", "seconds"} or {"step", "validation_nll",
//                             "tokens", "seconds"}
//   RUN/best.safetensors      the weights with the lowest validation NLL so far, from the first
//                             validation on; without validation the last
//   RUN/last.safetensors      the weights of the last checkpoint
//   RUN/state.safetensors     all that is needed to go on (train/checkpoint.hpp), from the beginning on
//
// Weights say which split they learnt from (train/weights_split.hpp).
//
// NLLs are nats a token, pooled over all tokens that are not padding. A run that was stopped, or killed at
// any moment, goes on from its last checkpoint and then has, bit for bit, the losses that it would have had:
// batches, augmentation and dropout are functions of (seed, step), and no sum depends on the number of
// threads. What the log held beyond the checkpoint is written again.
//
// A number that is not finite, in the loss, a gradient or what a checkpoint would hold, ends the run with an
// Error that names step and tensor; the last checkpoint stays. Files appear as a whole or not at all. A
// folder has one run at a time, and a new run takes one that has none of these files.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/io/folder_lock.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/train/checkpoint.hpp"
#include "imu2music/train/learner.hpp"
#include "imu2music/train/schedule.hpp"
#include "imu2music/train/training_config.hpp"
#include "imu2music/train/weights_split.hpp"

namespace imu2music::inline v0 {

// Where batches come from; both are functions of their arguments alone.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual TrainingBatch<float> training_batch(std::int64_t index) const = 0;
  virtual std::int64_t validation_batches() const = 0;
  virtual TrainingBatch<float> validation_batch(std::int64_t index) const = 0;
  virtual std::string data_hash() const = 0;
  // Of the split whose hash data_hash() is; empty for data that are none.
  virtual std::string split_name() const { return {}; }
};

// What a run reports as it goes.
struct TrainingReport {
  std::int64_t step = 0, steps = 0;
  double loss = 0, nll = 0, learning_rate = 0, gradient_norm = 0;
  std::int64_t tokens = 0;
  double seconds = 0;            // spent on the run so far
  double tokens_per_second = 0;  // since the last report
  bool validation = false;       // then only step, nll, tokens and seconds have a meaning
  bool best = false;
};

struct TrainerOptions {
  std::string folder;
  int threads = 1;
  bool resume = false;
  std::function<void(const TrainingReport&)> on_report = {};
  std::function<bool()> stop = {};  // asked after every step; true ends the run with a checkpoint
  Device device = Device::cpu();
  std::string sensors = {};  // how the data's sensors were mapped: a resumed run must be told the same
  // What the weights have learnt from that the run begins with; a resumed run knows.
  std::vector<WeightsSplit> begun_with = {};
};

struct TrainingOutcome {
  TrainingProgress progress;
  bool stopped = false;  // by TrainerOptions::stop, with steps left
  bool out_of_patience = false;
  std::string weights;  // the file of the best weights: the last ones where nothing was validated yet
};

class Trainer {
 public:
  // The model is as it should start: initialised, or loaded. Throws InputError where the folder holds a run
  // already and `resume` is not set, or the run in it was told something else.
  Trainer(Model<float>& model, const TrainingConfig& config, const BatchSource& data, TrainerOptions options)
      : config_(config),
        data_(data),
        options_(std::move(options)),
        learner_(model, options_.threads, options_.device) {
    if (config_.precision != "float32") {
      if (options_.device == Device::cpu())
        throw InputError("training.precision", config_.precision + " is for products on a device",
                         "train with --device cuda, or leave it at float32");
      learner_.context().set_matrices(config_.precision == "tf32" ? kernels::MatrixPrecision::tf32
                                                                  : kernels::MatrixPrecision::bf16);
    }
    if (options_.resume)
      read_state();
    else
      open_folder(), begin_run();
    learner_.set_dropout({config_.dropout, config_.encoder_dropout, static_cast<std::uint64_t>(config_.seed),
                          static_cast<std::uint64_t>(progress_.step * config_.accumulate)});
  }

  const TrainingProgress& progress() const { return progress_; }
  Learner<float>& learner() { return learner_; }

  TrainingOutcome run() {
    const FolderLock lock = lock_.is_held() ? std::move(lock_) : FolderLock(options_.folder, holder);
    begin_ = std::chrono::steady_clock::now();
    begin_seconds_ = progress_.seconds;
    reported_seconds_ = progress_.seconds;
    TrainingOutcome outcome;
    outcome.out_of_patience = out_of_patience();  // a run that had ended so is resumed
    while (progress_.step < config_.steps && !outcome.out_of_patience) {
      step();
      const bool last = progress_.step == config_.steps;
      if (last || progress_.step % config_.validate_every == 0) validate();
      outcome.out_of_patience = out_of_patience();
      const bool complete = last || outcome.out_of_patience;  // there is nothing left to go on with
      const bool stop = options_.stop && options_.stop();
      outcome.stopped = stop && !complete;
      const bool ends = complete || outcome.stopped;
      if (ends || progress_.step % config_.checkpoint_every == 0) write_checkpoint();
      if (ends) break;
    }
    outcome.progress = progress_;
    const bool has_best = std::isfinite(progress_.best_nll) || data_.validation_batches() == 0;
    outcome.weights = file(has_best ? "best.safetensors" : "last.safetensors");
    return outcome;
  }

 private:
  static constexpr const char* holder = "another training run";  // of the folder

  std::string file(const char* name) const {
    return (std::filesystem::path(options_.folder) / name).string();
  }

  bool out_of_patience() const {
    return config_.patience > 0 && progress_.worse_validations >= config_.patience;
  }

  double seconds() const {
    return begin_seconds_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  void open_folder() {
    std::error_code error;
    std::filesystem::create_directories(options_.folder, error);
    if (error)
      throw InputError(options_.folder, "cannot be made: " + error.message(),
                       "choose a folder that can be written");
    lock_ = FolderLock(options_.folder, holder);
    if (is_there(file("state.safetensors")))
      throw InputError(options_.folder, "holds a run already", "resume it, or choose another folder");
    for (const char* name : {"config.json", "log.jsonl", "best.safetensors", "last.safetensors"})
      if (is_there(file(name)))
        throw InputError(file(name), "is there already, and a run writes one of its own",
                         "choose another folder");
  }

  void begin_run() {
    progress_.data_hash = data_.data_hash();
    // Before all else what a run goes on from that is killed early: the weights that it begins with need not
    // be those of its seed.
    save_state();
    write_text(file("config.json"), to_json(config_) + "\n");
    write_text(file("log.jsonl"), "");
  }

  // What else a run depends on and a resumed one must be told again, by name.
  std::map<std::string, std::string> told() const {
    std::string sensors;  // any bytes, where metadata are UTF-8
    for (const char& c : options_.sensors) sensors += printable({&c, 1});
    return {{"device", options_.device.name()}, {"sensors", sensors}};
  }

  void read_state() {
    const std::string path = file("state.safetensors"), settings = file("config.json");
    if (is_folder(options_.folder)) lock_ = FolderLock(options_.folder, holder);
    const auto check_config = [&](const std::string& where, const TrainingConfig& before) {
      if (const std::string changed = differences(config_, before); !changed.empty())
        throw InputError(where, "was made with another config: " + changed,
                         "resume with the config of the run, " + settings + ", or start a new run");
    };
    if (!is_there(path)) {
      if (!is_there(settings))
        throw InputError(path, "is not there: there is no run to resume", "begin one without resuming");
      check_config(settings, read_training_config(settings));
      return begin_run();
    }
    const TensorFile state = read_safetensors(path);
    check_config(path, checkpoint_config(state));
    std::string changed;
    for (const auto& [name, now] : told()) {
      const auto found = state.metadata.find(told_metadata_key + name);
      if (found == state.metadata.end() || found->second == now) continue;
      const auto shown = [](const std::string& text) { return text.empty() ? "not given" : in_quotes(text); };
      changed +=
          (changed.empty() ? "" : ", ") + name + " is " + shown(now) + " instead of " + shown(found->second);
    }
    if (!changed.empty())
      throw InputError(path, "was made with other options: " + changed,
                       "resume with those of the run, or start a new one");
    options_.begun_with = begun_with(state);
    progress_ = load_checkpoint(state, learner_);
    if (progress_.data_hash != data_.data_hash())
      throw InputError(path,
                       "was made with other data or another split (hash " + printable(progress_.data_hash) +
                           ", now " + data_.data_hash() + ")",
                       "resume with the data and the split of the run, or start a new one");
    // A run may be killed as it begins, before it has written more than its state.
    if (!is_there(settings)) write_text(settings, to_json(config_) + "\n");
    // What was logged after the checkpoint will be logged again.
    std::string kept, log;
    if (is_there(file("log.jsonl"))) log = read_text_file(file("log.jsonl"), std::size_t{1} << 31);
    for (std::size_t begin = 0; begin < log.size();) {
      std::size_t end = log.find('\n', begin);
      if (end == std::string::npos) break;  // cut off by a kill
      const std::string_view line(log.data() + begin, end - begin);
      constexpr std::string_view start = "{\"step\":";
      std::int64_t at = 0;
      if (line.starts_with(start) &&
          std::from_chars(line.data() + start.size(), line.data() + line.size(), at).ec == std::errc() &&
          at <= progress_.step)
        kept.append(line).push_back('\n');
      begin = end + 1;
    }
    write_text(file("log.jsonl"), kept);
  }

  std::vector<TrainingBatch<float>> batches_of(std::int64_t step) const {
    std::vector<TrainingBatch<float>> batches;
    for (std::int64_t i = 0; i < config_.accumulate; ++i)
      batches.push_back(data_.training_batch(step * config_.accumulate + i));
    return batches;
  }

  void step() {
    const std::int64_t next = progress_.step + 1;
    const std::vector<TrainingBatch<float>> batches =
        prepared_.empty() ? batches_of(progress_.step) : std::move(prepared_);
    prepared_.clear();
    std::int64_t counted = 0;
    for (const TrainingBatch<float>& batch : batches) counted += batch.counted(learner_.model().pad());
    if (counted == 0) throw Error("[train] step " + std::to_string(next) + ": the batch holds no tokens");
    for (const TrainingBatch<float>& batch : batches)
      learner_.gather_gradients(batch, 1.0 / static_cast<double>(counted), config_.label_smoothing);
    const Schedule schedule{config_.schedule == "cosine"                ? Schedule::Kind::cosine
                            : config_.schedule == "inverse_square_root" ? Schedule::Kind::inverse_square_root
                                                                        : Schedule::Kind::constant,
                            config_.learning_rate, config_.warmup_steps, config_.steps,
                            config_.last_learning_rate};
    const double rate = learning_rate(schedule, next);
    learner_.step_clipped({.learning_rate = rate,
                           .beta1 = config_.beta1,
                           .beta2 = config_.beta2,
                           .eps = config_.eps,
                           .weight_decay = config_.weight_decay,
                           .decoupled = config_.optimizer == "adamw"},
                          config_.clip_norm);
    // While a device computes: the next step's batches.
    if (learner_.context().on_device() && next < config_.steps) prepared_ = batches_of(next);
    const TrainingReadings sums = learner_.read();  // the one wait of a step
    if (!std::isfinite(sums.loss) || !std::isfinite(sums.gradient_norm))
      refuse("step " + std::to_string(next), batches, sums.loss);
    progress_.step = next;
    progress_.seconds = seconds();
    tokens_since_report_ += counted;
    if (next % config_.log_every != 0 && next != config_.steps && next != 1) return;
    TrainingReport report;
    report.step = next;
    report.loss = sums.loss / static_cast<double>(counted);
    report.nll = sums.nll / static_cast<double>(counted);
    report.learning_rate = rate;
    report.gradient_norm = sums.gradient_norm;
    report.tokens = counted;
    append_log("{\"step\":" + std::to_string(next) + ",\"loss\":" + number(report.loss) +
               ",\"nll\":" + number(report.nll) + ",\"learning_rate\":" + number(rate) +
               ",\"gradient_norm\":" + number(sums.gradient_norm) + ",\"tokens\":" + std::to_string(counted));
    tell(report);
  }

  bool finite(const Tensor<float>& x) {
    if (!x.defined()) return true;
    const Tensor<float> here = on_host(learner_.context(), x);
    return std::all_of(here.values().begin(), here.values().end(), [](float v) { return std::isfinite(v); });
  }

  // The first of the model's tensors that is not finite, those that are learnt or the others; empty: none.
  std::string model_fault(bool learnt) {
    std::string fault;
    const auto look = [&]<class Entry>(const std::string& name, Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<float>>)
        if (fault.empty() && entry.trainable == learnt && !finite(entry.value)) fault = name;
    };
    learner_.model().visit(look);
    return fault;
  }

  // The first tensor on the way from the parameters to the gradients that is not finite; empty: none. What
  // training computed on the way is gone by now, so the way is gone again, without dropout.
  std::string first_fault(std::span<const TrainingBatch<float>> batches) {
    std::string fault = model_fault(true);
    const auto look = [&](const Tensor<float>& x, const char* what, std::size_t batch) {
      if (fault.empty() && !finite(x))
        fault = what + (batches.size() > 1 ? " of batch " + std::to_string(batch + 1) : std::string());
    };
    for (std::size_t b = 0; b < batches.size(); ++b) {
      look(batches[b].input, "the input", b);
      look(batches[b].control, "the control", b);
    }
    // After the inputs: batch norms have met them already.
    if (fault.empty()) fault = model_fault(false);
    Model<float>& model = learner_.model();
    Context& context = learner_.context();
    for (std::size_t b = 0; b < batches.size() && fault.empty(); ++b) {
      const TrainingBatch<float>& batch = batches[b];
      Tensor<float> features, memory;
      if (batch.input.defined()) {
        features = model.encode_motion(context, batch.input);
        memory = model.encode_memory(context, features);
      }
      look(features, "the encoded motion", b);
      look(memory, "the memory", b);
      look(model.logits(context, memory, batch.tokens, batch.control, batch.controlled), "the logits", b);
    }
    for (const LearntParameter<float>& p : learner_.parameters())
      if (fault.empty() && !finite(p.gradient)) fault = "the gradient of " + p.name;
    return fault;
  }

  [[noreturn]] void refuse(const std::string& where, std::span<const TrainingBatch<float>> batches,
                           double loss) {
    const std::string fault = first_fault(batches);
    const bool given = fault.starts_with("the input") || fault.starts_with("the control");
    if (fault.empty()) end(where, std::isfinite(loss) ? "the norm of all gradients together" : "the loss");
    end(where, "a value of " + fault, std::isfinite(loss) ? "" : ", nor is the loss",
        given ? "look at the data" : "lower learning_rate or set clip_norm");
  }

  // What a checkpoint would keep.
  void check_state() {
    std::string fault = model_fault(true);
    if (fault.empty()) fault = model_fault(false);
    for (const LearntParameter<float>& p : learner_.parameters()) {
      if (fault.empty() && !finite(p.first_moment)) fault = "the first moment of " + p.name;
      if (fault.empty() && !finite(p.second_moment)) fault = "the second moment of " + p.name;
    }
    if (!fault.empty()) end("step " + std::to_string(progress_.step), "a value of " + fault);
  }

  [[noreturn]] void end(const std::string& where, const std::string& what, const std::string& also = "",
                        const std::string& remedy = "lower learning_rate or set clip_norm") const {
    throw Error("[train] " + where + ": " + what + " is not finite" + also + "; " +
                file("state.safetensors") + " keeps the last good checkpoint: " + remedy);
  }

  void validate() {
    const std::int64_t count = data_.validation_batches();
    if (count == 0) return;
    Model<float>& model = learner_.model();
    Context& context = learner_.context();
    CrossEntropySums sums;
    for (std::int64_t i = 0; i < count; ++i) {
      const TrainingBatch<float> batch = data_.validation_batch(i);
      Tensor<float> memory, none;
      if (batch.input.defined())
        memory = model.encode_memory(context, model.encode_motion(context, batch.input));
      const Tensor<float> logits =
          model.logits(context, memory, batch.tokens, batch.control, batch.controlled);
      const CrossEntropySums part =
          cross_entropy_backward(context, logits, batch.targets, model.pad(), 0, 1, none);
      if (!std::isfinite(part.nll))
        refuse("validation after step " + std::to_string(progress_.step), {&batch, 1}, part.nll);
      sums.nll += part.nll;
      sums.count += part.count;
    }
    TrainingReport report;
    report.step = progress_.step;
    report.validation = true;
    report.nll = sums.nll / static_cast<double>(sums.count);
    report.tokens = sums.count;
    report.best = report.nll < progress_.best_nll;
    if (report.best) {
      check_state();
      progress_.best_nll = report.nll;
      progress_.best_step = progress_.step;
      progress_.worse_validations = 0;
      save_weights("best.safetensors");
    } else {
      ++progress_.worse_validations;
    }
    progress_.seconds = seconds();
    append_log("{\"step\":" + std::to_string(report.step) + ",\"validation_nll\":" + number(report.nll) +
               ",\"tokens\":" + std::to_string(report.tokens));
    tell(report);
  }

  void write_checkpoint() {
    check_state();
    progress_.seconds = seconds();
    save_weights("last.safetensors");
    if (data_.validation_batches() == 0) save_weights("best.safetensors");
    save_state();
  }

  void save_state() {
    std::map<std::string, std::string> more = split_metadata({}, options_.begun_with);
    for (const auto& [name, value] : told()) more[told_metadata_key + name] = value;
    save_checkpoint(learner_, config_, progress_, file("state.safetensors"), more);
  }

  void save_weights(const char* name) {
    learner_.model().config.untrained = false;
    synchronise(learner_.context());
    save_model(learner_.model(), file(name),
               split_metadata({data_.split_name(), data_.data_hash()}, options_.begun_with));
  }

  static void write_text(const std::string& path, const std::string& text) {
    AtomicFile out(path);
    out.write(text);
    out.commit();
  }
  static void append_text(const std::string& path, const std::string& text) {
    std::FILE* out = std::fopen(path.c_str(), "ab");
    const bool written = out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size();
    const bool closed = out != nullptr && std::fclose(out) == 0;
    if (!written || !closed)
      throw InputError(path, "cannot be written", "the disk may be full: the last checkpoint is kept");
  }

  static std::string number(double value) { return checkpoint_detail::exact(value); }

  void append_log(std::string line) {
    line += ",\"seconds\":" + number(std::round(progress_.seconds * 1000) / 1000) + "}\n";
    append_text(file("log.jsonl"), line);
  }

  void tell(TrainingReport report) {
    report.steps = config_.steps;
    report.seconds = progress_.seconds;
    if (!report.validation) {
      const double passed = progress_.seconds - reported_seconds_;
      report.tokens_per_second = passed > 0 ? static_cast<double>(tokens_since_report_) / passed : 0;
      tokens_since_report_ = 0;
    }
    reported_seconds_ = progress_.seconds;
    if (options_.on_report) options_.on_report(report);
  }

  inline static const std::string told_metadata_key = "imu2music.";

  TrainingConfig config_;
  const BatchSource& data_;
  TrainerOptions options_;
  FolderLock lock_;  // from the beginning to the end of run()
  Learner<float> learner_;
  TrainingProgress progress_;
  std::vector<TrainingBatch<float>> prepared_;  // of the next step, or none
  std::chrono::steady_clock::time_point begin_;
  double begin_seconds_ = 0, reported_seconds_ = 0;
  std::int64_t tokens_since_report_ = 0;
};

}  // namespace imu2music::inline v0
