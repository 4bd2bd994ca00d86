#include "imu2music/generate/beam.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>
#include <string>

#include "imu2music/core/random.hpp"

using namespace imu2music;

namespace {

using Ids = std::vector<std::int64_t>;

// A model of V ids whose logits depend on the whole sequence; coarse ones tie often.
struct ToyModel {
  std::int64_t V;
  std::uint64_t seed;
  bool coarse = false;

  std::vector<float> logits(const Ids& ids) const {
    std::uint64_t stream = 17;
    for (std::int64_t id : ids) stream = stream * 1000003 + static_cast<std::uint64_t>(id) + 1;
    Philox random(seed, stream);
    std::vector<float> values(static_cast<std::size_t>(V));
    for (float& value : values)
      value = coarse ? static_cast<float>(random.below(3)) : static_cast<float>(2 * random.normal());
    return values;
  }
};

struct ToyScorer {
  ToyModel model;
  std::vector<Ids> sequences;
  std::vector<std::vector<float>> outputs;
  std::int64_t steps = 0, copies = 0;

  ToyScorer(const ToyModel& toy, std::int64_t width)
      : model(toy), sequences(static_cast<std::size_t>(width)), outputs(sequences.size()) {}
  void step(std::span<const std::int64_t> slots, std::span<const std::int64_t> tokens) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const auto slot = static_cast<std::size_t>(slots[i]);
      sequences.at(slot).push_back(tokens[i]);
      outputs[slot] = model.logits(sequences[slot]);
      ++steps;
    }
  }
  std::span<const float> logits(std::int64_t slot) const { return outputs[static_cast<std::size_t>(slot)]; }
  void copy(std::int64_t from, std::int64_t to) {
    sequences.at(static_cast<std::size_t>(to)) = sequences.at(static_cast<std::size_t>(from));
    ++copies;
  }
};

// The last id ends a sequence; the id before it is forbidden right after itself.
struct ToyState {
  std::int64_t V;
  bool finished = false;
  std::vector<std::uint8_t> mask = std::vector<std::uint8_t>(static_cast<std::size_t>(V), 1);

  const std::uint8_t* allowed() const { return mask.data(); }
  void push(int id) {
    finished = id == V - 1;
    mask[static_cast<std::size_t>(V - 2)] = id != V - 2;
  }
  bool ended() const { return finished; }
};

struct Scored {
  Ids ids;
  double log_probability, score;
  bool ended;
};

// Every sequence there is, by recursion.
void enumerate(const ToyModel& model, const Ids& prefix, const Ids& ids, const ToyState& state,
               double log_probability, std::int64_t most, double alpha, std::vector<Scored>& all) {
  if (state.ended() || static_cast<std::int64_t>(ids.size()) == most) {
    const double penalty = std::pow((5.0 + static_cast<double>(ids.size())) / 6.0, alpha);
    all.push_back({ids, log_probability, log_probability / penalty, state.ended()});
    return;
  }
  Ids sequence = prefix;
  sequence.insert(sequence.end(), ids.begin(), ids.end());
  const auto logits = model.logits(sequence);
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (state.mask[i]) sum += std::exp(static_cast<double>(logits[i]));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!state.mask[i]) continue;
    Ids longer = ids;
    longer.push_back(static_cast<std::int64_t>(i));
    ToyState after = state;
    after.push(static_cast<int>(i));
    enumerate(model, prefix, longer, after, log_probability + logits[i] - std::log(sum), most, alpha, all);
  }
}

Ids wide(const std::vector<int>& ids) { return {ids.begin(), ids.end()}; }

}  // namespace

TEST_CASE("a beam that drops nothing finds what exhaustive search finds, scores included") {
  for (std::uint64_t seed = 0; seed < 12; ++seed)
    for (double alpha : {0.0, 0.6, 1.0, 2.0}) {
      const std::int64_t V = 4, most = 4;
      const ToyModel model{V, seed};
      const Ids prefix = {3, 0};
      std::vector<Scored> all;
      enumerate(model, prefix, {}, ToyState{V}, 0, most, alpha, all);
      std::sort(all.begin(), all.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
      ToyScorer scorer(model, 256);
      const auto best = beam_search(scorer, ToyState{V}, prefix, most,
                                    {.width = 256, .length_penalty = alpha, .n_best = 9});
      REQUIRE(best.size() == 9);
      for (std::size_t n = 0; n < best.size(); ++n) {
        INFO("seed ", seed, " alpha ", alpha, " rank ", n);
        CHECK(wide(best[n].ids) == all[n].ids);
        CHECK(best[n].score == doctest::Approx(all[n].score).epsilon(1e-9));
        CHECK(best[n].log_probability == doctest::Approx(all[n].log_probability).epsilon(1e-9));
        CHECK(best[n].ended == all[n].ended);
      }
    }
}

TEST_CASE("a beam one wide is greedy decoding, ties included, and stops at EOS") {
  int ended = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::int64_t V = 6, most = 12;
    const ToyModel model{V, seed, seed % 2 == 0};
    Ids sequence = {5}, greedy;
    ToyState state{V};
    while (!state.ended() && static_cast<std::int64_t>(greedy.size()) < most) {
      const auto logits = model.logits(sequence);
      std::int64_t id = -1;
      for (std::int64_t i = 0; i < V; ++i)
        if (state.mask[static_cast<std::size_t>(i)] &&
            (id < 0 || logits[static_cast<std::size_t>(i)] > logits[static_cast<std::size_t>(id)]))
          id = i;
      greedy.push_back(id);
      sequence.push_back(id);
      state.push(static_cast<int>(id));
    }
    ToyScorer scorer(model, 1);
    const Ids prefix = {5};
    const auto best = beam_search(scorer, ToyState{V}, prefix, most, {.width = 1});
    REQUIRE(best.size() == 1);
    CHECK(wide(best[0].ids) == greedy);
    CHECK(best[0].ended == state.ended());
    CHECK(scorer.copies == 0);
    CHECK(scorer.steps == static_cast<std::int64_t>(greedy.size()));  // the prefix, then all ids but the last
    ended += best[0].ended;
  }
  CHECK(ended > 50);
}

TEST_CASE("narrow beams are never better than exhaustive search and rarely worse than greedy") {
  const std::int64_t V = 5, most = 5;
  int worse = 0, better = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const ToyModel model{V, seed};
    const Ids prefix = {4};
    std::vector<Scored> all;
    enumerate(model, prefix, {}, ToyState{V}, 0, most, 0.6, all);
    double highest = -1e9;
    for (const Scored& one : all) highest = std::max(highest, one.score);
    std::map<std::int64_t, double> scores;
    for (std::int64_t width : {1, 2, 4, 16}) {
      ToyScorer scorer(model, width);
      const auto best = beam_search(scorer, ToyState{V}, prefix, most, {.width = width, .n_best = width});
      for (std::size_t n = 0; n < best.size(); ++n) {
        CHECK(best[n].score <= highest + 1e-9);
        if (n > 0) CHECK(best[n].score <= best[n - 1].score);
        for (std::size_t m = 0; m < n; ++m) CHECK(best[m].ids != best[n].ids);
        // The score is what the ids and the model say.
        const auto same = std::find_if(all.begin(), all.end(),
                                       [&](const Scored& one) { return one.ids == wide(best[n].ids); });
        REQUIRE(same != all.end());
        CHECK(best[n].score == doctest::Approx(same->score).epsilon(1e-9));
      }
      scores[width] = best[0].score;
    }
    worse += scores[16] < scores[1] - 1e-9;
    better += scores[16] > scores[1] + 1e-9;
  }
  CHECK(worse == 0);
  CHECK(better > 20);
}

TEST_CASE("the likelier sequence behind the less likely first id is found; ranking single steps misses it") {
  struct GardenPath : ToyScorer {
    GardenPath() : ToyScorer({3, 0}, 2) {}
    void step(std::span<const std::int64_t> slots, std::span<const std::int64_t> tokens) {
      ToyScorer::step(slots, tokens);
      for (std::int64_t slot : slots) {
        const Ids& ids = sequences[static_cast<std::size_t>(slot)];
        const auto p = [&]() -> std::array<double, 3> {
          if (ids.size() == 1) return {0.6, 0.4, 1e-9};
          if (ids.size() == 2 && ids[1] == 0) return {0.34, 0.33, 0.33};
          return {0.01, 0.01, 0.98};
        }();
        for (std::size_t i = 0; i < 3; ++i)
          outputs[static_cast<std::size_t>(slot)][i] = static_cast<float>(std::log(p[i]));
      }
    }
  };
  struct Ends {
    bool finished = false;
    const std::uint8_t* allowed() const { return nullptr; }
    void push(int id) { finished = id == 2; }
    bool ended() const { return finished; }
  };
  const Ids prefix = {2};
  GardenPath greedy, beam;
  CHECK(beam_search(greedy, Ends{}, prefix, 5, {.width = 1})[0].ids[0] == 0);
  const auto best = beam_search(beam, Ends{}, prefix, 5, {.width = 2, .length_penalty = 0});
  CHECK(best[0].ids == std::vector<int>{1, 2});
  CHECK(std::exp(best[0].log_probability) == doctest::Approx(0.4 * 0.98).epsilon(1e-5));
}

TEST_CASE("options out of range, and logits that are not numbers, are refused") {
  const ToyModel model{4, 1};
  const Ids prefix = {3};
  const auto search = [&](const BeamOptions& options) {
    ToyScorer scorer(model, 4);
    return beam_search(scorer, ToyState{4}, prefix, 3, options);
  };
  CHECK_THROWS_AS(search({.width = 0}), InputError);
  CHECK_THROWS_AS(search({.width = 1025}), InputError);
  CHECK_THROWS_AS(search({.length_penalty = -1}), InputError);
  CHECK_THROWS_AS(search({.length_penalty = std::nan("")}), InputError);
  CHECK_THROWS_AS(search({.n_best = 0}), InputError);
  CHECK_THROWS_AS(search({.width = 2, .n_best = 3}), InputError);
  ToyScorer scorer(model, 4);
  CHECK_THROWS_AS(beam_search(scorer, ToyState{4}, Ids{}, 3, BeamOptions{}), Error);
  CHECK_THROWS_AS(beam_search(scorer, ToyState{4}, prefix, 0, BeamOptions{}), Error);
  struct Broken : ToyScorer {
    using ToyScorer::ToyScorer;
    std::vector<float> nothing = std::vector<float>(4, std::nanf(""));
    std::span<const float> logits(std::int64_t) const { return nothing; }
  } broken(model, 4);
  CHECK_THROWS_AS(beam_search(broken, ToyState{4}, prefix, 3, BeamOptions{}), Error);
  ToyState mute{4};
  mute.mask.assign(4, 0);
  CHECK_THROWS_AS(beam_search(scorer, mute, prefix, 3, BeamOptions{}), Error);
}
