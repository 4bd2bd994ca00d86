#include "imu2music/train/training_config.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "support.hpp"

using namespace imu2music;

namespace {

std::string refusal(const std::string& json) {
  try {
    parse_training_config(json, "run.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a config comes back from its own JSON") {
  const TrainingConfig config = parse_training_config(
      R"({"training": {"steps": 7, "schedule": "cosine", "learning_rate": 1e-3, "gain": 0.25, "seed": 0,
                       "transpose_semitones": 3, "transpose_with_motion": true},
          "model": {"encoder": "temporal", "d_model": 64, "heads": 4}})",
      "run.json");
  CHECK(config.steps == 7);
  CHECK(config.schedule == "cosine");
  CHECK(config.learning_rate == 1e-3);
  CHECK(config.gain == 0.25);
  CHECK(config.transpose_with_motion);
  CHECK(config.seed == 0);
  CHECK(config.model.d_model == 64);
  CHECK(config.model.feed_forward == 128);
  CHECK(parse_training_config(to_json(config), "again") == config);
  CHECK(parse_training_config("{}", "empty") == TrainingConfig());
}

TEST_CASE("what is unknown, twice or out of range is named with what would be right") {
  CHECK(refusal(R"({"training": {"stpes": 7}})") ==
        "run.json: the unknown key 'stpes'; did you mean 'steps'?");
  CHECK(refusal(R"({"trainig": {}})") == "run.json: the unknown key 'trainig'; did you mean 'training'?");
  CHECK(refusal(R"({"model": {"d_modle": 7}})") ==
        "run.json: the unknown key 'd_modle'; did you mean 'd_model'?");
  CHECK(refusal(R"({"training": {"steps": 1, "steps": 2}})") ==
        "run.json: the key 'steps' stands twice; keep one of the two");
  CHECK(refusal(R"({"training": {"steps": 0}})") ==
        "run.json: steps is 0; a whole number from 1 to 1000000000 is right");
  CHECK(refusal(R"({"training": {"steps": 1.5}})") ==
        "run.json: steps is 1.5; a whole number from 1 to 1000000000 is right");
  CHECK(refusal(R"({"training": {"dropout": 1}})") ==
        "run.json: dropout is 1; a number from 0 to 0.95 is right");
  CHECK(refusal(R"({"training": {"dropout": -1e-3}})") ==
        "run.json: dropout is -1e-3; a number from 0 to 0.95 is right");
  CHECK(refusal(R"({"training": {"eps": 0}})") == "run.json: eps is 0; a number from 1e-20 to 1 is right");
  CHECK(refusal(R"({"training": {"gain": "much"}})") ==
        "run.json: gain is 'much'; a number from 0 to 0.9 is right");
  CHECK(refusal(R"({"training": {"gain": {"x": [1]}}})") ==
        "run.json: gain is an object; a number from 0 to 0.9 is right");
  CHECK(refusal(R"({"training": {"gain": [0.1]}})") ==
        "run.json: gain is a list; a number from 0 to 0.9 is right");
  CHECK(refusal(R"({"training": {"transpose_with_motion": 1}})") ==
        "run.json: transpose_with_motion is 1; true or false is right");
  CHECK(refusal(R"({"training": {"steps": true}})") ==
        "run.json: steps is true; a whole number from 1 to 1000000000 is right");
  CHECK(refusal(R"({"training": {"transpose_semitones": 0.5}})") ==
        "run.json: transpose_semitones is 0.5; a whole number from 0 to 24 is right");
  CHECK(refusal(R"({"training": {"optimizer": "sgd"}})") ==
        "run.json: the optimizer 'sgd' is not known; there is 'adam', 'adamw'");
  CHECK(refusal(R"({"training": {"schedule": "inverse_square_root"}})") ==
        "run.json: the schedule 'inverse_square_root' without warm-up; give warmup_steps, 1 or more");
  CHECK(refusal(R"({"training": 3})") == "run.json: training is 3; an object is right");
  CHECK(refusal("[1]") ==
        "run.json: is JSON, but no object; a config looks like {\"model\": {…}, \"training\": {…}}");
  CHECK(refusal("{") != "");
}

TEST_CASE("an augmentation that would do nothing is refused") {
  for (const std::string encoder : {"conv", "fully_connected", "frequency", "conv_transformer", "pose"})
    for (const std::string key : {"rotation_degrees", "gain", "noise"}) {
      const std::string model = R"({"model": {"encoder": ")" + encoder + R"("}, "training": {")" + key;
      CHECK(refusal(model + R"(": 0.5}})") ==
            "run.json: " + key + " with the encoder '" + encoder +
                "'; only what the encoder 'temporal' hears is augmented: leave it out");
      CHECK(refusal(model + R"(": 0}})").empty());
    }
  CHECK(refusal(R"({"training": {"transpose_with_motion": true}})") ==
        "run.json: transpose_with_motion without transpose_semitones; say by how many semitones at most");
}

TEST_CASE("a key in the wrong place, by another name, or like none") {
  const auto advice = [](const std::string& json) {
    const std::string message = refusal(json);
    return message.substr(std::min(message.find("; ") + 2, message.size()));
  };
  CHECK(refusal(R"({"steps": 7})") == "run.json: the unknown key 'steps'; it belongs in training");
  CHECK(advice(R"({"d_model": 7})") == "it belongs in model");
  CHECK(advice(R"({"training": {"encoder": "conv"}})") == "it belongs in model");
  CHECK(advice(R"({"model": {"batch": 7}})") == "it belongs in training");
  CHECK(advice(R"({"model": {"training": {}}})") == "it stands beside model, not in it");
  CHECK(advice(R"({"training": {"model": {}}})") == "it stands beside training, not in it");
  CHECK(advice(R"({"training": {"lr": 1}})") == "did you mean 'learning_rate'?");
  CHECK(advice(R"({"training": {"epochs": 1}})") == "did you mean 'steps'?");
  CHECK(advice(R"({"training": {"batch_size": 1}})") == "did you mean 'batch'?");
  CHECK(advice(R"({"model": {"lr": 1}})") == "did you mean 'learning_rate' in training?");
  CHECK(advice(R"({"lr": 1})") == "did you mean 'learning_rate' in training?");
  CHECK(advice(R"({"model": {"num_heads": 1}})") == "did you mean 'heads'?");
  CHECK(advice(R"({"stpes": 1})") == "did you mean 'steps' in training?");
  CHECK(advice(R"({"training": {"max_sequenc": 1}})") == "did you mean 'max_sequence' in model?");
  // Like none: all are listed.
  CHECK(advice(R"({"colour": 1})") == "there is 'model', 'training'");
  const std::string all = advice(R"({"training": {"colour": 1}})");
  CHECK(all.find("there is 'steps', 'batch', ") == 0);
  CHECK(all.find("'eps'") != std::string::npos);
  CHECK(all.find("'precision'") != std::string::npos);
  for (const auto& alias : training_config_detail::aliases) {
    const bool training = alias.section == "training";
    const auto& known = training_config_detail::keys;
    const auto& model = config_detail::keys;
    CHECK((training ? std::count(known.begin(), known.end(), alias.key)
                    : std::count(std::begin(model), std::end(model), alias.key)) == 1);
  }
}

TEST_CASE("a share of windows without control is for models with control") {
  const std::string share = R"("training": {"control_dropout": 0.25}})";
  CHECK(parse_training_config(R"({"model": {"control": true}, )" + share, "c").control_dropout == 0.25);
  CHECK(refusal("{" + share) ==
        "run.json: control_dropout for a model without control; leave it out, or give the model \"control\": "
        "true");
}

TEST_CASE("differences are named") {
  TrainingConfig before, now;
  CHECK(differences(now, before).empty());
  now.batch = 8;
  now.learning_rate = 0.5;
  CHECK(differences(now, before) == "batch is 8 instead of 15, learning_rate is 0.5 instead of 3e-04");
}
