#include "imu2music/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "random.hpp"
#include "support.hpp"

using namespace imu2music;
using test::random_tensor;

namespace {

ModelConfig small_model() {
  ModelConfig config;
  config.encoder = "temporal";
  config.d_model = 8, config.heads = 2, config.feed_forward = 12, config.encoder_layers = 0,
  config.decoder_layers = 1;
  config.max_sequence = 12, config.vocabulary = 20, config.width = 6, config.blocks = 2, config.kernel = 3;
  return config;
}

TrainingConfig small_training() {
  TrainingConfig config;
  config.model = small_model();
  config.steps = 12, config.batch = 2, config.accumulate = 2;
  config.learning_rate = 5e-3, config.validate_every = 4, config.checkpoint_every = 3, config.log_every = 1;
  config.dropout = 0.2, config.encoder_dropout = 0.2, config.clip_norm = 1, config.label_smoothing = 0.05;
  return config;
}

// The next token is a function of the last and of the motion's mean.
class Arithmetic : public BatchSource {
 public:
  explicit Arithmetic(std::int64_t validations = 2) : validations_(validations) {}
  TrainingBatch<float> training_batch(std::int64_t index) const override {
    if (index == poisoned) {
      TrainingBatch<float> batch = make(static_cast<std::uint64_t>(index));
      batch.input[0] = std::numeric_limits<float>::quiet_NaN();
      return batch;
    }
    return make(static_cast<std::uint64_t>(index));
  }
  std::int64_t validation_batches() const override { return validations_; }
  TrainingBatch<float> validation_batch(std::int64_t index) const override {
    return make(static_cast<std::uint64_t>(100000 + index));
  }
  std::string data_hash() const override { return hash; }
  std::string split_name() const override { return split; }

  std::int64_t poisoned = -1;
  std::string hash = "abc", split;

 private:
  static TrainingBatch<float> make(std::uint64_t seed) {
    TrainingBatch<float> batch;
    batch.input = random_tensor<float>({2, 6, 12}, seed + 1);
    batch.tokens = Tensor<std::int64_t>({2, 8});
    batch.targets = Tensor<std::int64_t>({2, 8});
    Philox random(seed, 5);
    for (std::int64_t n = 0; n < 16; ++n) {
      batch.tokens[n] = random.below(19);
      batch.targets[n] = (batch.tokens[n] + 3) % 19;
    }
    return batch;
  }
  std::int64_t validations_;
};

std::vector<std::string> lines(const std::string& path) {
  std::vector<std::string> result;
  std::istringstream text(test::read_file(path));
  for (std::string line; std::getline(text, line);)
    result.push_back(line.substr(0, line.find(",\"seconds\"")));
  return result;
}

template <class Change>
std::string refusal(const std::string& folder, const Change& change) {
  TrainingConfig config = small_training();
  Arithmetic data;
  TrainerOptions options{folder, 1, true, {}, {}};
  change(config, data, options);
  Model<float> model = init_model<float>(config.model, 1);
  try {
    Trainer(model, config, data, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a run writes its weights, its log and its state, and learns") {
  test::ScratchFolder scratch;
  const TrainingConfig config = small_training();
  Model<float> model = init_model<float>(config.model, 1);
  const Arithmetic data;
  std::vector<TrainingReport> reports;
  TrainerOptions options{
      scratch / "run", 2, false, [&](const TrainingReport& r) { reports.push_back(r); }, {}};
  const TrainingOutcome outcome = Trainer(model, config, data, options).run();
  CHECK(outcome.progress.step == 12);
  CHECK_FALSE(outcome.stopped);
  CHECK(outcome.weights == scratch / "run/best.safetensors");
  CHECK(std::isfinite(outcome.progress.best_nll));
  CHECK(reports.size() == 12 + 3);
  CHECK(reports.back().validation);
  CHECK(reports.back().nll < reports[4].nll);
  CHECK(lines(scratch / "run/log.jsonl").size() == 15);
  CHECK(parse_training_config(test::read_file(scratch / "run/config.json"), "c") == config);
  const Model<float> best = load_model<float>(scratch / "run/best.safetensors");
  CHECK_FALSE(best.config.untrained);
  CHECK(load_model<float>(scratch / "run/last.safetensors").config == best.config);
  // The best weights have the validation NLL that is said of them.
  Context context;
  double nll = 0, count = 0;
  for (std::int64_t i = 0; i < 2; ++i) {
    const TrainingBatch<float> batch = data.validation_batch(i);
    Tensor<float> none;
    const Tensor<float> memory = best.encode_memory(context, best.encode_motion(context, batch.input));
    const CrossEntropySums sums = cross_entropy_backward(context, best.logits(context, memory, batch.tokens),
                                                         batch.targets, best.pad(), 0, 1, none);
    nll += sums.nll, count += static_cast<double>(sums.count);
  }
  CHECK(nll / count == doctest::Approx(outcome.progress.best_nll).epsilon(1e-6));
}

TEST_CASE("a run that stopped anywhere goes on with the bits it would have had, on other threads too") {
  test::ScratchFolder scratch;
  const TrainingConfig config = small_training();
  const Arithmetic data;
  {
    Model<float> model = init_model<float>(config.model, 1);
    Trainer(model, config, data, {scratch / "whole", 1, false, {}, {}}).run();
  }
  for (const int stop_after : {1, 3, 5, 11}) {
    const std::string folder = scratch / ("stopped" + std::to_string(stop_after));
    int steps = 0;
    {
      Model<float> model = init_model<float>(config.model, 1);
      const TrainingOutcome outcome =
          Trainer(model, config, data, {folder, 1, false, {}, [&] { return ++steps == stop_after; }}).run();
      CHECK(outcome.stopped);
      CHECK(outcome.progress.step == stop_after);
      // The first validation is that of step 4.
      CHECK(outcome.weights == folder + (stop_after < 4 ? "/last.safetensors" : "/best.safetensors"));
      CHECK(load_model<float>(outcome.weights).config.d_model == 8);
    }
    Model<float> model = init_model<float>(config.model, 99);  // everything comes from the checkpoint
    Trainer(model, config, data, {folder, 3, true, {}, {}}).run();
    CHECK(lines(folder + "/log.jsonl") == lines(scratch / "whole/log.jsonl"));
    CHECK(test::read_file(folder + "/best.safetensors") ==
          test::read_file(scratch / "whole/best.safetensors"));
    CHECK(test::read_file(folder + "/last.safetensors") ==
          test::read_file(scratch / "whole/last.safetensors"));
  }
}

TEST_CASE("a run that has done its last step was not stopped") {
  test::ScratchFolder scratch;
  TrainingConfig config = small_training();
  config.steps = 2;
  int steps = 0;
  Model<float> model = init_model<float>(config.model, 1);
  const TrainingOutcome outcome =
      Trainer(model, config, Arithmetic(), {scratch / "run", 1, false, {}, [&] { return ++steps == 2; }})
          .run();
  CHECK(outcome.progress.step == 2);
  CHECK_FALSE(outcome.stopped);
}

TEST_CASE("what was logged after the last checkpoint, or cut off by a kill, is logged again once") {
  test::ScratchFolder scratch;
  const TrainingConfig config = small_training();
  const Arithmetic data;
  int steps = 0;
  Model<float> model = init_model<float>(config.model, 1);
  Trainer(model, config, data, {scratch / "run", 1, false, {}, [&] { return ++steps == 5; }}).run();
  const std::string log = test::read_file(scratch / "run/log.jsonl");
  test::write_file(scratch / "run/log.jsonl", log + "{\"step\":6,\"loss\":0}\n{\"step\":7,\"lo");
  Trainer(model, config, data, {scratch / "run", 1, true, {}, {}}).run();
  const std::vector<std::string> all = lines(scratch / "run/log.jsonl");
  CHECK(all.size() == 15);
  for (const std::string& line : all) CHECK(line.find("\"loss\":0}") == std::string::npos);
}

TEST_CASE("a run killed before its first checkpoint is resumed from the weights it began with") {
  test::ScratchFolder scratch;
  const TrainingConfig config = small_training();
  const Arithmetic data;
  {
    Model<float> model = init_model<float>(config.model, 7);  // not the config's seed: as with --init-from
    Trainer(model, config, data, {scratch / "whole", 1, false, {}, {}}).run();
  }
  for (const bool only_state : {false, true}) {
    const std::string folder = scratch / (only_state ? "early" : "killed");
    {
      Model<float> model = init_model<float>(config.model, 7);
      Trainer begun(model, config, data, {folder, 1, false, {}, {}});
      test::write_file(folder + "/log.jsonl", "{\"step\":1,\"loss\":0}\n");
    }
    if (only_state) {
      std::filesystem::remove(folder + "/log.jsonl");
      std::filesystem::remove(folder + "/config.json");
    }
    Model<float> model = init_model<float>(config.model, 99);
    Trainer again(model, config, data, {folder, 1, true, {}, {}});
    CHECK(again.progress().step == 0);
    again.run();
    for (const char* file : {"/best.safetensors", "/last.safetensors", "/config.json"})
      CHECK(test::read_file(folder + file) == test::read_file((scratch / "whole") + file));
    CHECK(lines(folder + "/log.jsonl") == lines(scratch / "whole/log.jsonl"));
  }
}

TEST_CASE("a config without a state is a run that has yet to begin, if it is the same config") {
  test::ScratchFolder scratch;
  TrainingConfig config = small_training();
  const std::string folder = scratch / "run";
  std::filesystem::create_directories(folder);
  test::write_file(folder + "/config.json", to_json(config));
  CHECK(refusal(folder, [](TrainingConfig& c, Arithmetic&, TrainerOptions&) {
          c.batch = 3;
        }).find(folder + "/config.json: was made with another config: batch is 3 instead of 2") == 0);
  Model<float> model = init_model<float>(config.model, 1);
  CHECK(Trainer(model, config, Arithmetic(), {folder, 1, true, {}, {}}).run().progress.step == 12);
}

TEST_CASE("a number that is not finite ends the run, names step and tensor and keeps the checkpoint") {
  test::ScratchFolder scratch;
  const TrainingConfig config = small_training();
  Arithmetic data;
  data.poisoned = 9;  // of step 5
  Model<float> model = init_model<float>(config.model, 1);
  Trainer trainer(model, config, data, {scratch / "run", 1, false, {}, {}});
  std::string message;
  try {
    trainer.run();
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(message == "[train] step 5: a value of the input of batch 2 is not finite, nor is the loss; " +
                       (scratch / "run/state.safetensors") +
                       " keeps the last good checkpoint: look at the data");
  data.poisoned = -1;
  Trainer again(model, config, data, {scratch / "run", 1, true, {}, {}});
  CHECK(again.progress().step == 3);
  CHECK(again.run().progress.step == 12);
}

TEST_CASE("of what is not finite, the first on the way to the loss is named") {
  struct Spoilt {
    std::string name;  // of the parameter
    float value;
    std::string found;
  };
  for (const Spoilt& spoilt : {Spoilt{"Wout.bias", std::numeric_limits<float>::quiet_NaN(), "Wout.bias"},
                               Spoilt{"imu_net.stem.weight", 3e38f, "the encoded motion of batch 1"},
                               Spoilt{"Wout.weight", 3e38f, "the logits of batch 1"}}) {
    INFO(spoilt.name);
    test::ScratchFolder scratch;
    const TrainingConfig config = small_training();
    const Arithmetic data;
    Model<float> model = init_model<float>(config.model, 1);
    Trainer trainer(model, config, data, {scratch / "run", 1, false, {}, {}});
    bool any = false;
    for (LearntParameter<float>& p : trainer.learner().parameters())
      if (p.name == spoilt.name) {
        std::fill_n(p.value.data(), p.value.size(), spoilt.value);
        any = true;
      }
    REQUIRE(any);
    std::string message;
    try {
      trainer.run();
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK(message.find("[train] step 1: a value of " + spoilt.found + " is not finite, nor is the loss; ") ==
          0);
  }
}

TEST_CASE("what is not finite does not reach a checkpoint, though no loss has met it") {
  const auto check_kept = [](const std::string& folder, std::int64_t step, const std::string& message) {
    INFO(message);
    CHECK(message.find("[train] step " + std::to_string(step) +
                       ": a value of embedding.weight is not finite; ") == 0);
    CHECK_FALSE(std::filesystem::exists(folder + "/last.safetensors"));
    CHECK_FALSE(std::filesystem::exists(folder + "/best.safetensors"));
    const TensorFile state = read_safetensors(folder + "/state.safetensors");
    for (const TensorEntry& entry : state.entries()) {
      if (entry.dtype != Dtype::f32) continue;
      std::vector<float> values(static_cast<std::size_t>(entry.shape.element_count()));
      copy_values(entry, values.data());
      CHECK(std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }));
    }
  };
  const auto run = [](Trainer& trainer) -> std::string {
    try {
      trainer.run();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  test::ScratchFolder scratch;
  const Arithmetic data;
  TrainingConfig config = small_training();
  config.checkpoint_every = 1;
  {
    // What no batch has met has no gradient: 0 / 0.
    config.eps = 0, config.weight_decay = 0;
    Model<float> model = init_model<float>(config.model, 1);
    Trainer trainer(model, config, data, {scratch / "eps", 1, false, {}, {}});
    check_kept(scratch / "eps", 1, run(trainer));
  }
  config = small_training();
  config.checkpoint_every = 100;
  Model<float> model = init_model<float>(config.model, 1);
  const auto spoil = [&](const TrainingReport& report) {
    float* padding = model.embedding.weight.value.data() + 19 * 8;  // no loss reads it
    if (report.step == 4) *padding = std::numeric_limits<float>::infinity();
  };
  Trainer trainer(model, config, data, {scratch / "validated", 1, false, spoil, {}});
  check_kept(scratch / "validated", 4, run(trainer));
}

TEST_CASE("batches gathered for one step weigh their tokens, as one batch of all of them does") {
  // Sequences of 8 tokens and of 3, by themselves and beside each other.
  struct Uneven : Arithmetic {
    explicit Uneven(bool of_both) : Arithmetic(0), both(of_both) {}
    TrainingBatch<float> training_batch(std::int64_t index) const override {
      TrainingBatch<float> batch = Arithmetic::training_batch(both ? index : index / 2);
      for (std::int64_t t = 3; t < 8; ++t) batch.tokens[8 + t] = batch.targets[8 + t] = 19;
      if (both) return batch;
      TrainingBatch<float> one;
      one.input = batch.input.slice(index % 2, 1).clone();
      one.tokens = batch.tokens.slice(index % 2, 1).clone();
      one.targets = batch.targets.slice(index % 2, 1).clone();
      return one;
    }
    bool both;
  };
  test::ScratchFolder scratch;
  TrainingConfig config = small_training();
  config.dropout = config.encoder_dropout = 0;
  std::vector<double> losses[2];
  std::vector<std::int64_t> tokens;
  for (const bool both : {true, false}) {
    config.accumulate = both ? 1 : 2;
    const Uneven data(both);
    Model<float> model = init_model<float>(config.model, 1);
    TrainerOptions options{scratch / (both ? "both" : "each"), 1, false, {}, {}};
    options.on_report = [&](const TrainingReport& report) {
      losses[both].push_back(report.loss);
      tokens.push_back(report.tokens);
    };
    Trainer(model, config, data, options).run();
  }
  CHECK(tokens == std::vector<std::int64_t>(24, 11));
  REQUIRE(losses[0].size() == 12);
  for (std::size_t n = 0; n < 12; ++n) CHECK(losses[0][n] == doctest::Approx(losses[1][n]).epsilon(1e-4));
  CHECK(losses[0].back() < losses[0].front());
}

TEST_CASE("patience ends a run that gets no better") {
  test::ScratchFolder scratch;
  TrainingConfig config = small_training();
  config.learning_rate = 0;
  config.patience = 1;
  Model<float> model = init_model<float>(config.model, 1);
  const TrainingOutcome outcome =
      Trainer(model, config, Arithmetic(), {scratch / "run", 1, false, {}, {}}).run();
  CHECK(outcome.out_of_patience);
  CHECK(outcome.progress.step == 8);
  CHECK(outcome.progress.best_step == 4);
  // Resumed, it has no patience left.
  const std::vector<std::string> log = lines(scratch / "run/log.jsonl");
  const TrainingOutcome again =
      Trainer(model, config, Arithmetic(), {scratch / "run", 1, true, {}, {}}).run();
  CHECK(again.out_of_patience);
  CHECK(again.progress.step == 8);
  CHECK(again.weights == outcome.weights);
  CHECK(lines(scratch / "run/log.jsonl") == log);
}

TEST_CASE("weights say which split they learnt from") {
  test::ScratchFolder scratch;
  TrainingConfig config = small_training();
  config.steps = 4;
  for (const std::string split : {"performer:s4", ""}) {
    const std::string folder = scratch / ("run" + split);
    Model<float> model = init_model<float>(config.model, 1);
    Arithmetic data;
    data.split = split;
    Trainer(model, config, data, {folder, 1, false, {}, {}}).run();
    for (const char* name : {"/best.safetensors", "/last.safetensors"}) {
      const TensorFile file = read_safetensors(folder + name);
      if (split.empty())
        CHECK_FALSE(split_of(file).has_value());
      else
        CHECK(split_of(file) == WeightsSplit{"performer:s4", "abc"});
      CHECK(load_model<float>(folder + name).config.d_model == 8);
    }
  }
}

TEST_CASE("weights say what those learnt from that the run began with, a resumed one too") {
  test::ScratchFolder scratch;
  TrainingConfig config = small_training();
  config.steps = 4;
  const std::vector<WeightsSplit> before = {{"all", "12"}, {"performer:s1", "34"}};
  TrainerOptions options{.folder = scratch / "run"};
  options.begun_with = before;
  options.stop = [] { return true; };
  Model<float> model = init_model<float>(config.model, 1);
  CHECK(Trainer(model, config, Arithmetic(), options).run().stopped);
  CHECK(begun_with(read_safetensors(scratch / "run/last.safetensors")) == before);
  Model<float> again = init_model<float>(config.model, 1);
  Trainer(again, config, Arithmetic(), {.folder = scratch / "run", .resume = true}).run();
  for (const char* name : {"run/best.safetensors", "run/last.safetensors"})
    CHECK(begun_with(read_safetensors(scratch / name)) == before);
}

TEST_CASE("without validation the best weights are the last") {
  test::ScratchFolder scratch;
  const TrainingConfig config = small_training();
  Model<float> model = init_model<float>(config.model, 1);
  CHECK(Trainer(model, config, Arithmetic(0), {scratch / "run", 1, false, {}, {}}).run().weights ==
        scratch / "run/best.safetensors");
  CHECK(test::read_file(scratch / "run/best.safetensors") ==
        test::read_file(scratch / "run/last.safetensors"));
}

TEST_CASE("a folder with a run, another config, other data, a damaged state: each is said") {
  test::ScratchFolder scratch;
  const std::string folder = scratch / "run";
  const auto nothing = [](TrainingConfig&, Arithmetic&, TrainerOptions&) {};
  CHECK(refusal(folder, nothing) == folder +
                                        "/state.safetensors: is not there: there is no run to resume; "
                                        "begin one without resuming");
  {
    const TrainingConfig config = small_training();
    Model<float> model = init_model<float>(config.model, 1);
    Trainer(model, config, Arithmetic(), {folder, 1, false, {}, {}}).run();
  }
  CHECK(refusal(folder, nothing) == "");
  const auto begin_anew = [](TrainingConfig&, Arithmetic&, TrainerOptions& o) { o.resume = false; };
  CHECK(refusal(folder, begin_anew) == folder + ": holds a run already; resume it, or choose another folder");
  {
    const FolderLock other(folder, "this test");
    for (const auto& change :
         {std::function<void(TrainingConfig&, Arithmetic&, TrainerOptions&)>(nothing),
          std::function<void(TrainingConfig&, Arithmetic&, TrainerOptions&)>(begin_anew)})
      CHECK(refusal(folder, change) ==
            folder +
                ": another training run is writing there; wait until it has ended, or choose another folder");
  }
  CHECK(refusal(folder, [](TrainingConfig& c, Arithmetic&, TrainerOptions&) { c.batch = 3, c.dropout = 0; })
            .find("was made with another config: batch is 3 instead of 2, dropout is 0 instead of 0.2;") !=
        std::string::npos);
  CHECK(refusal(folder, [](TrainingConfig&, Arithmetic& d, TrainerOptions&) {
          d.hash = "def";
        }).find("was made with other data or another split") != std::string::npos);
  CHECK(refusal(folder, [](TrainingConfig&, Arithmetic&, TrainerOptions& o) { o.sensors = "myo1=a"; }) ==
        folder +
            "/state.safetensors: was made with other options: sensors is 'myo1=a' instead of not given; "
            "resume with those of the run, or start a new one");
  const std::string state = test::read_file(folder + "/state.safetensors");
  std::string elsewhere = state;
  const std::string device = R"("imu2music.device":")";
  REQUIRE(elsewhere.find(device + "cpu\"") != std::string::npos);
  elsewhere.replace(elsewhere.find(device) + device.size(), 3, "gpu");
  test::write_file(folder + "/state.safetensors", elsewhere);
  CHECK(refusal(folder, nothing).find("device is 'cpu' instead of 'gpu'") != std::string::npos);
  std::string damaged = state;
  const std::size_t at = damaged.find("first_moment.Wout.bias");
  REQUIRE(at != std::string::npos);
  damaged[at] = 'F';
  test::write_file(folder + "/state.safetensors", damaged);
  CHECK(refusal(folder, nothing).find("first_moment.Wout.bias is missing") != std::string::npos);
  // A parameter that is not finite.
  test::write_file(scratch / "state", state);
  const TensorFile whole = read_safetensors(scratch / "state");
  std::vector<TensorEntry> entries = whole.entries();
  const std::vector<float> infinite(20, std::numeric_limits<float>::infinity());
  for (TensorEntry& entry : entries)
    if (entry.name == "Wout.bias") entry.data = reinterpret_cast<const std::byte*>(infinite.data());
  write_safetensors(folder + "/state.safetensors", entries, whole.metadata);
  CHECK(refusal(folder, nothing).find("Wout.bias has values that are not finite") != std::string::npos);
  // Progress that no run can have, and a text that would be shown.
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"step 12;", "step -2;"},
                                                        {"step 12;", "step 1e;"},
                                                        {"best_step ", "best_step 9"},
                                                        {";seconds ", ";seconds -"},
                                                        {"data_hash abc", "data_hash a\\n"}}) {
    damaged = state;
    const std::size_t place = damaged.find(from);
    REQUIRE(place != std::string::npos);
    damaged.replace(place, from.size(), to);
    std::uint64_t header = 0;
    std::memcpy(&header, damaged.data(), sizeof header);
    header += to.size() - from.size();
    std::memcpy(damaged.data(), &header, sizeof header);
    test::write_file(folder + "/state.safetensors", damaged);
    const std::string message = refusal(folder, nothing);
    INFO(message);
    CHECK((message.find("its progress") != std::string::npos ||
           message.find("(hash a\\x0a") != std::string::npos));
  }
  test::write_file(folder + "/state.safetensors", state.substr(0, state.size() / 2));
  CHECK(refusal(folder, nothing) != "");
  test::write_file(folder + "/state.safetensors", test::read_file(folder + "/best.safetensors"));
  CHECK(refusal(folder, nothing).find("is no checkpoint of a training run") != std::string::npos);
}
