// What docs/embedding.md lets threads share, shared by many of them at once, with the results of one thread
// alone. Under ThreadSanitizer (`make test-threads`) a data race ends the program.
//
// Threads come first and the single thread after them, so that whatever is made at first use (the kernels'
// tables, the bins of a vocabulary) is made while all of them ask for it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "imu2music/engine.hpp"
#include "imu2music/generate/compose.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/repovizz_writer.hpp"
#include "imu2music/imu/virtual_violinist.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/midi_file.hpp"
#include "imu2music/train/learner.hpp"
#include "random.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

constexpr int many = 6;  // threads

// work(0), …, work(many − 1), each in a thread of its own, all begun together. Nothing is asserted in them.
void at_once(const std::function<void(int)>& work) {
  std::latch begin(many);
  std::vector<std::exception_ptr> failures(many);
  std::vector<std::thread> threads;
  for (int n = 0; n < many; ++n)
    threads.emplace_back([&, n] {
      begin.arrive_and_wait();
      try {
        work(n);
      } catch (...) {
        failures[static_cast<std::size_t>(n)] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

// What each of the threads makes is what one thread makes of the same number.
template <class Work>
void same_as_alone(const Work& work) {
  std::vector<decltype(work(0))> made(many);
  at_once([&](int n) { made[static_cast<std::size_t>(n)] = work(n); });
  for (int n = 0; n < many; ++n) {
    INFO("thread " << n);
    CHECK(made[static_cast<std::size_t>(n)] == work(n));
  }
}

struct Kind {
  std::string config;
  Shape input;  // of its motion; none: without
};

std::vector<Kind> kinds() {
  const std::string sizes =
      R"("d_model":16,"heads":2,"feed_forward":16,"decoder_layers":1,"max_sequence":24)";
  const std::string both = R"("encoder_layers":1,)" + sizes;
  return {
      {R"({"encoder":"conv",)" + both + "}", {1, 2, 3, 150}},
      {R"({"encoder":"conv","control":true,)" + both + "}", {1, 2, 3, 150}},
      {R"({"encoder":"frequency",)" + both + "}", {1, 2, 3, 150}},
      {R"({"encoder":"fully_connected",)" + both + "}", {1, 2, 9, 150}},
      {R"({"encoder":"conv_transformer","rows":1,)" + both + "}", {1, 2, 1, 150}},
      {R"({"encoder":"pose","layout":"hands","pose_layers":2,)" + both + "}", {1, 2, 6, 42, 1}},
      {R"({"encoder":"temporal","vocabulary":332,"width":8,"blocks":2,"window_ms":2000,"time_positions":true,)"
       R"("lookback_ms":500,"lookahead_ms":100,)" +
           both + "}",
       {1, 6, 100}},
      {R"({"encoder":"conv","model":"lstm_seq2seq",)" + both + "}", {1, 2, 3, 150}},
      {R"({"encoder":"none","model":"music_transformer",)" + sizes + "}", {}},
  };
}

// A model of that kind as a program has it: read from a file, its weights mapped.
Model<float> loaded(const test::ScratchFolder& scratch, const std::string& config) {
  auto model = init_model<float>(parse_model_config(config, "config"), 1);
  save_model(model, scratch / "weights.safetensors");
  return load_model<float>(scratch / "weights.safetensors");
}

Recording violinist() {
  std::vector<Note> score;
  for (int n = 0; n < 16; ++n) score.push_back({55 + n * 7 % 24, 70 + n % 20, 0.5 * n, 0.5 * n + 0.45});
  return simulate_violinist(score, {});
}

// The ids that a session draws from here on, and the last logits.
std::vector<float> drawn(Session<float>& session, const SamplerOptions& options) {
  Sampler<float> sampler(session.model().config.vocabulary, options);
  std::vector<float> result;
  std::int64_t id = 60;
  while (session.position() < session.capacity()) {
    const auto logits = session.step(id);
    id = sampler.choose(session.context(), logits.data(), nullptr);
    result.push_back(static_cast<float>(id));
  }
  result.insert(result.end(), session.logits().begin(), session.logits().end());
  return result;
}

std::vector<double> numbers(const std::vector<Note>& notes) {
  std::vector<double> all;
  for (const Note& note : notes)
    all.insert(all.end(), {double(note.pitch), double(note.velocity), note.start, note.end});
  return all;
}

}  // namespace

TEST_CASE("one model of each kind, many sessions: encode, step, sample") {
  for (const Kind& kind : kinds()) {
    INFO(kind.config);
    test::ScratchFolder scratch;
    const Model<float> model = loaded(scratch, kind.config);
    same_as_alone([&](int n) {
      const auto seed = static_cast<std::uint64_t>(n);
      Session<float> session(model);
      if (model.config.control) session.set_control(test::random_tensor<float>({12}, seed));
      if (kind.input.rank() > 0)
        session.start_from_motion(test::random_tensor<float>(kind.input, seed));
      else
        session.start();
      return drawn(session, {.temperature = 1.1, .seed = seed, .top_k = 50, .repetition_penalty = 1.1});
    });
  }
}

TEST_CASE("one model of each kind, many whole sequences") {
  for (const Kind& kind : kinds()) {
    INFO(kind.config);
    test::ScratchFolder scratch;
    const Model<float> model = loaded(scratch, kind.config);
    same_as_alone([&](int n) {
      Context context;
      Tensor<float> memory;
      if (kind.input.rank() > 0)
        memory = model.encode_memory(
            context, model.encode_motion(context, test::random_tensor<float>(kind.input, 10)));
      Tensor<std::int64_t> tokens({1, 10});
      for (std::int64_t t = 0; t < 10; ++t) tokens[t] = 30 + 7 * n + 11 * t % 200;
      const Tensor<float> logits = model.logits(context, memory, tokens);
      return std::vector<float>(logits.data(), logits.data() + logits.size());
    });
  }
}

TEST_CASE("one model and one recording, many compositions: drawn, side by side, searched") {
  const Recording motion = violinist();
  for (const char* encoder :
       {R"("encoder":"conv")", R"("encoder":"temporal","vocabulary":332,"width":8,"blocks":2)"}) {
    test::ScratchFolder scratch;
    const Model<float> model = loaded(scratch, std::string("{") + encoder +
                                                   R"(,"d_model":16,"heads":2,"encoder_layers":1,)"
                                                   R"("decoder_layers":1,"max_sequence":24})");
    same_as_alone([&](int n) {
      Session<float> session(model);
      ComposeOptions options;
      options.sampler.seed = static_cast<std::uint64_t>(n / 3);
      options.fill_windows = true;
      if (n % 3 == 1) options.batch = 2;
      if (n % 3 == 2) options.beam = BeamOptions{2, 0.6, 1};
      return numbers(compose(session, motion, options).notes);
    });
  }
}

TEST_CASE("one engine, many threads: whole recordings, frames, sessions") {
  test::ScratchFolder scratch;
  loaded(scratch, kinds().front().config);
  write_repovizz(violinist(), scratch / "take");
  const Engine engine(scratch / "weights.safetensors");
  same_as_alone([&](int n) {
    const Engine mine = engine;  // copies share the model
    if (n % 2 == 0)
      return numbers(mine.generate(scratch / "take", {.sampler = {.seed = 3}, .fill_windows = true}).notes);
    EngineSession session(mine, {.seed = static_cast<std::uint64_t>(n)});
    session.start(std::vector<float>(18 * 150, 0.1F * static_cast<float>(n)));
    std::vector<double> ids;
    for (int id = 240; session.position() < 20; ids.push_back(id)) {
      session.step(id);
      id = session.choose();
    }
    return ids;
  });
}

TEST_CASE("many threads read the same files, and write files beside one another") {
  test::ScratchFolder scratch;
  loaded(scratch, kinds().front().config);
  write_repovizz(violinist(), scratch / "take");
  same_as_alone([&](int n) {
    const Model<float> model = load_model<float>(scratch / "weights.safetensors");
    const Recording motion = read_recording(scratch / "take");
    Session<float> session(model);
    const std::vector<Note> notes = compose(session, motion, {.sampler = {}, .fill_windows = true}).notes;
    const std::string path = scratch / ("music" + std::to_string(n) + ".mid");
    write_midi_file(path, notes);
    return test::read_file(path);
  });
}

TEST_CASE("many threads train, each a model of its own") {
  for (const Kind& kind : kinds()) {
    INFO(kind.config);
    same_as_alone([&](int n) {
      auto model =
          init_model<float>(parse_model_config(kind.config, "config"), static_cast<std::uint64_t>(n));
      Learner<float> learner(model);
      learner.set_dropout({0.1, 0.1, 5, 0});
      TrainingBatch<float> batch;
      if (kind.input.rank() > 0) batch.input = test::random_tensor<float>(kind.input, 1);
      batch.tokens = Tensor<std::int64_t>({1, 8});
      batch.targets = Tensor<std::int64_t>({1, 8});
      for (std::int64_t t = 0; t < 8; ++t) batch.tokens[t] = 20 * t + 1, batch.targets[t] = 17 * t + 3;
      learner.add_gradients(batch, 0.125, 0.1);
      std::vector<double> result = {learner.gradient_norm()};
      learner.step({.learning_rate = 1e-3});
      for (const auto& parameter : learner.parameters()) result.push_back(parameter.value[0]);
      return result;
    });
  }
}

TEST_CASE("a session and a learner that use several threads themselves") {
  if (!has_openmp) {
    MESSAGE("without OpenMP they run on one thread: there is nothing to race");
    return;
  }
  test::ScratchFolder scratch;
  for (const Kind& kind : kinds()) {
    INFO(kind.config);
    const Model<float> model = loaded(scratch, kind.config);
    const auto made = [&](int threads) {
      Session<float> session(model, threads);
      if (kind.input.rank() > 0)
        session.start_from_motion(test::random_tensor<float>(kind.input, 1));
      else
        session.start();
      std::vector<float> result = drawn(session, {.seed = 1});
      Model<float> learnt = load_model<float>(scratch / "weights.safetensors");
      Learner<float> learner(learnt, threads);
      TrainingBatch<float> batch;
      Shape input;
      for (int axis = 0; axis < kind.input.rank(); ++axis) input.push_back(axis == 0 ? 4 : kind.input[axis]);
      if (input.rank() > 0) batch.input = test::random_tensor<float>(input, 2);
      batch.tokens = Tensor<std::int64_t>({4, 20});
      batch.targets = Tensor<std::int64_t>({4, 20});
      for (std::int64_t t = 0; t < 80; ++t) batch.tokens[t] = 2 * t + 1, batch.targets[t] = 2 * t + 3;
      learner.add_gradients(batch, 0.0125, 0.1);
      learner.step({.learning_rate = 1e-3});
      for (const auto& parameter : learner.parameters())
        result.insert(result.end(), parameter.value.data(), parameter.value.data() + parameter.value.size());
      return result;
    };
    CHECK(made(4) == made(1));
  }
}
