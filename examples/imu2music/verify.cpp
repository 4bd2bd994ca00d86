// verify: our results against expected ones, stage by stage.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "imu2music/generate/device_session.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/repovizz_reader.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/ops/cross_entropy.hpp"
#include "verify_events.hpp"
#include "verify_table.hpp"
#include "verify_training.hpp"

namespace {

using namespace imu2music;

constexpr double model_tolerance = 1e-4;    // |a - b| <= t + t |b|
constexpr double rounded_tolerance = 2e-2;  // the same where a device rounds the operands of products
constexpr double feature_tolerance = 1e-5;  // |a - b| <= t

struct VerifyOptions {
  CommonOptions common;
  Device device = Device::cpu();
  std::string subject, expected;
  bool train = false;
  std::string precision = "both";

  kernels::MatrixPrecision products() const {
    return precision == "tf32"       ? kernels::MatrixPrecision::tf32
           : precision == "bfloat16" ? kernels::MatrixPrecision::bf16
                                     : kernels::MatrixPrecision::float32;
  }
};

// Compares `got` with the expected tensor of that name, element by element.
Row compare(const Expected& expected, const std::string& name, const Tensor<float>& got, double absolute,
            double relative) {
  const Tensor<float> wanted = expected.values<float>(name);
  expected.require(wanted.shape() == got.shape(), name, got.shape().to_string());
  Row row{name};
  std::int64_t failures = 0, first = -1;
  for (std::int64_t i = 0; i < wanted.size(); ++i) {
    const double a = got[i], b = wanted[i];
    double error = std::abs(a - b);
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    row.max_abs_error = std::max(row.max_abs_error, error);
    if (error > 0)
      row.max_rel_error =
          std::max(row.max_rel_error, b != 0 ? error / std::abs(b) : std::numeric_limits<double>::infinity());
    if (!(error <= absolute + relative * std::abs(b)) && failures++ == 0) first = i;
  }
  row.passed = failures == 0;
  if (!row.passed)
    row.note = std::to_string(failures) + " of " + std::to_string(wanted.size()) +
               " values differ, the first at " + std::to_string(first);
  return row;
}

// [B, S, D] → [S, B, D], the order of the expected files.
Tensor<float> sequence_first(const Tensor<float>& x) {
  const std::int64_t B = x.dim(0), S = x.dim(1), D = x.dim(2);
  Tensor<float> y = Tensor<float>::uninitialised({S, B, D});
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t s = 0; s < S; ++s)
      std::copy_n(x.data() + (b * S + s) * D, D, y.data() + (s * B + b) * D);
  return y;
}

// `input` is undefined for weights without an encoder, `control` where there is none.
Row compare_greedy(const Expected& expected, const Model<float>& model, const Tensor<float>& input,
                   const Tensor<float>& control, int threads) {
  const std::string name = "greedy_tokens";
  const Tensor<std::int64_t> wanted = expected.tokens(name, model.config.vocabulary);
  expected.require(wanted.rank() == 2 && wanted.dim(0) == 1 && wanted.dim(1) >= 1 &&
                       wanted.dim(1) <= model.config.max_sequence,
                   name, "(1, 1 to " + std::to_string(model.config.max_sequence) + ")");
  Context context(threads, model.device());
  Tensor<float> memory;
  if (input.defined()) {
    memory = model.encode_memory(context, model.encode_motion(context, input.slice(0, 1)));
    synchronise(context);  // the session has a queue of its own
  }
  Session<float> session(model, threads, memory.defined() ? memory.dim(1) : 0);
  session.set_control(control);
  session.start(memory);
  Sampler<float> sampler(model.config.vocabulary, {.greedy = true});
  Row row{name};
  // The first id is given, not chosen: SOS, or what a model without SOS was started with.
  const bool has_sos = model.config.vocabulary == EventVocabulary1::size;
  std::int64_t token = has_sos ? EventVocabulary1::sos : wanted[0];
  std::int64_t differing = 0, first = -1;
  for (std::int64_t t = 0; t < wanted.size(); ++t) {
    if (t > 0) token = sampler.choose(session.context(), session.step(token).data(), nullptr);
    if (token != wanted[t] && differing++ == 0) first = t;
  }
  row.passed = differing == 0;
  row.max_abs_error = static_cast<double>(differing);
  row.max_rel_error = static_cast<double>(differing) / static_cast<double>(wanted.size());
  row.note = std::to_string(differing) + " of " + std::to_string(wanted.size()) + " tokens differ";
  if (!row.passed) row.note += ", the first at " + std::to_string(first);
  return row;
}

// Tokens that the device draws beside those that the CPU draws with the same random numbers, where nothing is
// expected but that they are the same: up to a first one where the number lies within 1e-5 of the border
// between the two, which rounding may cross. `input` and `control` as above.
Row compare_sampled(const Model<float>& model, const Model<float>& on_cpu, const Tensor<float>& input,
                    const Tensor<float>& control, int threads) {
  constexpr double near = 1e-5;
  constexpr std::int64_t most = 256;
  const std::int64_t V = model.config.vocabulary,
                     count = std::min<std::int64_t>(most, model.config.max_sequence);
  const SamplerOptions options{.seed = 1};
  const bool has_sos = V == EventVocabulary1::size || V == EventVocabulary2::size;
  const std::int64_t first = has_sos ? EventVocabulary1::sos : 0;
  std::vector<std::uint8_t> allowed(static_cast<std::size_t>(V), 1);
  allowed[static_cast<std::size_t>(model.pad())] = 0;
  if (has_sos) allowed[EventVocabulary1::sos] = 0;

  Context context(threads, model.device()), cpu(threads);
  Tensor<float> memory, memory_there;
  if (input.defined()) {
    memory = on_cpu.encode_memory(cpu, on_cpu.encode_motion(cpu, input.slice(0, 1)));
    memory_there = model.encode_memory(context, model.encode_motion(context, input.slice(0, 1)));
    synchronise(context);
  }
  const std::int64_t S = memory.defined() ? memory.dim(1) : 0;
  std::vector<int> drawn;
  if (decodes_on_device(model)) {
    const DeviceWeights<float> weights(model);
    DeviceSession<float> session(weights, S);
    session.start(memory_there);
    drawn = session.generate(first, count, {.sampler = options});
  } else {
    Session<float> session(model, threads, S);
    session.set_control(control);
    session.start(memory_there);
    Sampler<float> sampler(V, options);
    sampler.start(0);
    for (std::int64_t t = 0, token = first; t < count; ++t) {
      token = sampler.choose(session.context(), session.step(token).data(), allowed.data());
      drawn.push_back(static_cast<int>(token));
    }
  }

  Session<float> session(on_cpu, threads, S);
  session.set_control(control);
  session.start(memory);
  Sampler<float> sampler(V, options);
  sampler.start(0);
  Philox numbers(options.seed, 0);
  Row row{"sampled_tokens"};
  row.note = "all " + std::to_string(drawn.size()) + " are the CPU's";
  std::int64_t token = first;
  for (std::size_t t = 0; t < drawn.size(); ++t) {
    token = sampler.choose(session.context(), session.step(token).data(), allowed.data());
    const double u = static_cast<double>(numbers.uint32() >> 8) * 0x1p-24;
    if (token == drawn[t]) continue;
    // The share of the probability below the device's token, and that up to it.
    double total = 0, below = 0, above = 0;
    for (std::int64_t id = 0; id < V; ++id) {
      const auto weight = static_cast<double>(sampler.weights()[static_cast<std::size_t>(id)]);
      total += weight;
      if (id < drawn[t]) below += weight;
      if (id <= drawn[t]) above += weight;
    }
    const double off = std::max({below / total - u, u - above / total, 0.0});
    row.passed = off < near;
    row.max_abs_error = off;
    row.note = "token " + std::to_string(t) + " is the first that is not the CPU's, |u - cdf| " +
               figure(off) + (row.passed ? ": a near-tie" : "");
    break;
  }
  return row;
}

std::vector<Row> verify_model(const VerifyOptions& options) {
  Model<float> model = load_model<float>(options.subject);
  to_device(model, options.device);
  const Expected expected(options.expected);
  Context context(thread_count(options.common), options.device);
  context.set_matrices(options.products());
  const bool rounded = options.products() != kernels::MatrixPrecision::float32;
  const double tolerance = rounded ? rounded_tolerance : model_tolerance;
  std::vector<Row> rows;
  const std::string lacking = "not in " + options.expected;
  const auto check = [&](const std::string& name, const Tensor<float>& got) {
    rows.push_back(expected.has(name) ? compare(expected, name, got, tolerance, tolerance)
                                      : absent(name, lacking));
  };

  if (model.has_memory() && !expected.has("input")) {
    for (const char* name :
         {"input", "encoder_features", "memory", "logits_eval", "loss_eval", "greedy_tokens"})
      rows.push_back(absent(name, expected.has(name) ? "there is no input to compute it from" : lacking));
    return rows;
  }
  Tensor<float> input, memory;
  if (model.has_memory()) {
    input = expected.values("input");
    expected.require(model.takes(input.shape()), "input", model.input_wanted());
    rows.push_back({.name = "input", .note = input.shape().to_string()});
    const Tensor<float> features = model.encode_motion(context, input);
    check("encoder_features", sequence_first(on_host(context, features)));
    if (features.dim(1) > model.config.memory_positions && model.config.encoder_layers > 0)
      throw InputError(options.expected,
                       "tensor input gives " + std::to_string(features.dim(1)) + " memory tokens",
                       "these weights have " + std::to_string(model.config.memory_positions) + " positions");
    memory = model.encode_memory(context, features);
    check("memory", sequence_first(on_host(context, memory)));
  } else {
    for (const char* name : {"input", "encoder_features", "memory"})
      rows.push_back(absent(name, "these weights write music without motion"));
  }
  Tensor<float> control, control_generate;
  if (model.config.control) {
    if (expected.has("control")) control = expected.values("control");
    if (expected.has("control_generate")) control_generate = expected.values("control_generate");
  }
  if (expected.has("tokens_in")) {
    const Tensor<std::int64_t> tokens = expected.tokens("tokens_in", model.config.vocabulary);
    const std::int64_t B = model.has_memory() ? input.dim(0) : tokens.rank() == 2 ? tokens.dim(0) : 1;
    expected.require(tokens.rank() == 2 && tokens.dim(0) == B && B >= 1 && tokens.dim(1) >= 1 &&
                         tokens.dim(1) <= model.config.max_sequence,
                     "tokens_in",
                     "(" + std::to_string(B) + ", 1 to " + std::to_string(model.config.max_sequence) + ")");
    if (control.defined()) {
      const Shape wanted{B, tokens.dim(1), ControlInput<float>::classes};
      expected.require(control.shape() == wanted, "control", wanted.to_string());
    }
    const Tensor<float> logits = model.logits(context, memory, tokens, control);
    check("logits_eval", on_host(context, logits));
    if (expected.has("loss_eval") && expected.has("tokens_out")) {
      const Tensor<std::int64_t> targets = expected.tokens("tokens_out", model.config.vocabulary);
      expected.require(targets.shape() == tokens.shape(), "tokens_out", tokens.shape().to_string());
      if (std::all_of(targets.values().begin(), targets.values().end(),
                      [&](std::int64_t id) { return id == model.pad(); }))
        throw InputError(options.expected, "tensor tokens_out is padding only",
                         "a loss needs at least one target");
      const auto loss = static_cast<float>(cross_entropy(context, logits, targets, model.pad()));
      check("loss_eval", Tensor<float>::from(std::span<const float>(&loss, 1), {1}));
    } else {
      rows.push_back(absent("loss_eval", expected.has("loss_eval") ? "there are no tokens_out" : lacking));
    }
  } else {
    for (const char* name : {"logits_eval", "loss_eval"})
      rows.push_back(absent(name, expected.has(name) ? "there are no tokens_in" : lacking));
  }
  if (control_generate.defined())
    expected.require(control_generate.shape() == Shape{ControlInput<float>::classes}, "control_generate",
                     "(12)");
  if (rounded) return rows;  // tokens are decoded in float32
  rows.push_back(expected.has("greedy_tokens")
                     ? compare_greedy(expected, model, input, control_generate, thread_count(options.common))
                     : absent("greedy_tokens", lacking));
  if (options.device != Device::cpu())
    rows.push_back(compare_sampled(model, load_model<float>(options.subject), input, control_generate,
                                   thread_count(options.common)));
  return rows;
}

// A recording against expected features.
std::vector<Row> verify_features(const VerifyOptions& options) {
  const Expected expected(options.expected);
  if (!expected.has("features")) return {absent("features", "not in " + options.expected)};
  const TensorEntry& entry = *expected.file().find("features");
  const std::int64_t frames = entry.shape.rank() == 3 ? entry.shape[2] : 0;
  expected.require(entry.shape == Shape{2, 3, frames} && frames >= 1, "features", "(2, 3, frames)");
  const auto start = expected.file().metadata.find("start_frame");
  double start_frame = 0;
  if (start != expected.file().metadata.end() &&
      !(parse_number(start->second, start_frame) && start_frame == std::floor(start_frame) &&
        std::abs(start_frame) < 1e9))
    throw InputError(options.expected, "its start_frame is " + in_quotes(start->second),
                     "it must be a frame number");
  const Recording motion = at_rate(read_repovizz(options.subject), reference_rate_hz);
  Tensor<float> features({2, 3, frames});
  reference_features(motion, static_cast<std::int64_t>(start_frame), frames, features.values());
  return {compare(expected, "features", features, feature_tolerance, 0)};
}

std::vector<Row> verify_vocabulary(const std::string& path) {
  std::vector<Row> rows;
  for (const CheckRow& check : verify_events_file(path)) {
    Row row{check.name};
    row.passed = check.passed;
    row.max_abs_error = check.max_abs_error;
    row.max_rel_error = check.max_rel_error;
    row.note = check.note;
    row.absent = check.note == "absent";
    rows.push_back(row);
  }
  return rows;
}

// JSON has no infinity.
nlohmann::ordered_json json_number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

void report(const VerifyOptions& options, const std::vector<Row>& rows) {
  std::vector<std::string> failed;
  bool compared = false;
  for (const Row& row : rows) {
    if (!row.absent && !row.passed) failed.push_back(row.name);
    compared = compared || (!row.absent && row.name != "input");
  }
  if (options.common.json) {
    nlohmann::ordered_json table = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
      nlohmann::ordered_json line = {{"name", row.name}};
      if (!row.absent) {
        line["max_abs_error"] = json_number(row.max_abs_error);
        line["max_rel_error"] = json_number(row.max_rel_error);
      }
      line["verdict"] = row.absent ? "absent" : row.passed ? "ok" : "failed";
      if (!row.note.empty()) line["note"] = row.note;
      table.push_back(line);
    }
    print_json({{"subject", options.subject},
                {"expected", options.expected},
                {"isa", kernels::name_of(active_isa())},
                {"device", options.device.name()},
                {"rows", table},
                {"passed", failed.empty() && compared}});
  } else {
    char line[160];
    std::snprintf(line, sizeof line, "%-24s %14s %14s  %s\n", "tensor", "max abs error", "max rel error",
                  "verdict");
    std::string text = line;
    for (const Row& row : rows) {
      const bool figures = !row.absent;
      std::snprintf(line, sizeof line, "%-24s %14s %14s  %s", row.name.c_str(),
                    figures ? figure(row.max_abs_error).c_str() : "-",
                    figures ? figure(row.max_rel_error).c_str() : "-",
                    row.absent   ? "absent"
                    : row.passed ? "ok"
                                 : "FAILED");
      text += line;
      if (!row.note.empty()) text += "  (" + row.note + ")";
      text += "\n";
    }
    print_text(text);
  }
  if (!failed.empty()) {
    std::string names;
    for (const std::string& name : failed) names += (names.empty() ? "" : ", ") + name;
    throw CommandFailure("verification failed: " + names);
  }
  if (!compared)
    throw CommandFailure(
        "nothing was verified: " + (options.expected.empty() ? options.subject : options.expected) +
        " holds none of the tensors that can be compared");
}

void run_verify(const VerifyOptions& options) {
  if (options.train && options.expected.empty())
    throw InputError("--train wants a file of expected tensors beside the weights");
  if (!options.train && (options.precision == "double" || options.precision == "float"))
    throw InputError("--precision " + options.precision + " is of training; give --train too");
  std::error_code ignored;
  const bool is_recording = std::filesystem::is_directory(options.subject, ignored);
  if (options.train && is_recording)
    throw InputError(options.subject, "is a folder", "--train compares the training of weights: name a file");
  if (options.products() != kernels::MatrixPrecision::float32 && options.device == Device::cpu())
    throw InputError("the cpu's products are not rounded to " + options.precision + "; use --device cuda");
  if (options.expected.empty()) {
    throw_if_named_pipe(options.subject, "name a regular file");
    struct stat status {};
    open_to_read(options.subject, status, false);  // or it is told why it cannot be
    if (!is_events_file(options.subject))
      throw InputError(options.subject, "is no file of events",
                       "give an events JSON alone, or weights and a file of expected tensors");
    report(options, verify_vocabulary(options.subject));
  } else if (is_recording) {
    report(options, verify_features(options));
  } else {
    report(options, options.train
                        ? verify_training(options.subject, options.expected, thread_count(options.common),
                                          options.precision, options.device, options.products())
                        : verify_model(options));
  }
}

}  // namespace

void add_verify_command(CLI::App& program) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = program.add_subcommand("verify", "Compare this program's results with expected ones");
  command
      ->add_option("SUBJECT", options->subject,
                   "Weights or a checkpoint; a recording's folder; or an events JSON by itself")
      ->required()
      ->check(given());
  command->add_option("EXPECTED.safetensors", options->expected, "The expected tensors")->check(given());
  command->add_flag("--train", options->train,
                    "Compare training: logits, gradients, and losses and weights of three steps of Adam");
  command
      ->add_option("--precision", options->precision,
                   "With --train: double (scalar kernels), float (the instruction set in use), or both; with "
                   "--device cuda: tf32 or bfloat16, to which products round their operands")
      ->check(CLI::IsMember({"double", "float", "both", "tf32", "bfloat16"}))
      ->capture_default_str();
  add_device_option(*command, options->device);
  add_common_options(*command, options->common);
  command->callback([options] { run_verify(*options); });
}
