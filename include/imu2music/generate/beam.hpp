// Beam search: the likeliest sequences of ids, instead of one that is drawn.
//
//   log P(Y) = Σ_t log softmax(l_t)[y_t]      over the ids allowed at t
//   score(Y) = log P(Y) / lp(|Y|),  lp(n) = ((5 + n) / 6)^α
// where |Y| counts the ids, the last one (EOS, say) included. α = 0 compares log-probabilities, which favours
// short sequences; α near 1 nearly compares their means.
//
// At every step each live hypothesis is continued by each allowed id, and of all these the ones of largest
// log P stay: as many as the beam is wide, less the hypotheses that have ended. One whose last id ends it is
// set aside with its score. The search is over when none is live, when max_tokens ids are written (the live
// ones then count as they are), or when no live one can still come among the n best: log P only falls and
// lp only grows, so log P / lp(max_tokens) bounds every score to come. Equal log P are ordered by the
// parent's rank, then the logit, then the smaller id: with width 1 this is greedy decoding, id for id.
//
// Nothing is computed twice: each live hypothesis owns a slot of the scorer, with the caches of its ids, and
// a hypothesis that goes on in several ways is copied into the slots of those that have been dropped.
//
// Cost: width steps of the model and O(width V) comparisons an id. Errors: InputError for an option out of
// range; Error where no id can follow (none allowed, logits not numbers).
// Source of the length penalty: Wu et al. 2016, arXiv:1609.08144, equation 14.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"

namespace imu2music::inline v0 {

struct BeamOptions {
  std::int64_t width = 4;       // hypotheses kept, 1 to 1024
  double length_penalty = 0.6;  // α, at least 0
  std::int64_t n_best = 1;      // sequences returned, 1 to width
};

// Throws InputError for the first option outside its range, naming it.
inline void check_beam_options(const BeamOptions& options) {
  if (options.width < 1 || options.width > 1024)
    throw InputError("a beam " + std::to_string(options.width) + " wide cannot be searched; use 1 to 1024");
  if (!(options.length_penalty >= 0 && options.length_penalty <= 10))
    throw InputError("length penalty " + std::to_string(options.length_penalty) +
                     " is out of range; use 0 (none) to 10, usually 0.6 to 1");
  if (options.n_best < 1 || options.n_best > options.width)
    throw InputError("the " + std::to_string(options.n_best) + " best of a beam " +
                     std::to_string(options.width) + " wide cannot be given; use 1 to its width");
}

// lp(n) = ((5 + n) / 6)^α.
inline double length_penalty(std::int64_t length, double alpha) {
  return std::pow((5.0 + static_cast<double>(length)) / 6.0, alpha);
}

template <class State>
struct Hypothesis {
  std::vector<int> ids;  // after the prefix
  double log_probability = 0;
  double score = 0;
  bool ended = false;  // by its last id, not by max_tokens
  State state;
};

// What follows `prefix` (at least SOS), the n best by score, best first.
//
// Scorer, the model with `width` sequences in slots 0..width − 1, all at the same beginning:
//   step(slots, tokens)  slot slots[i] takes tokens[i], spans of std::int64_t
//   logits(slot)         what follows there: a span of V numbers, valid until the slot's next step
//   copy(from, to)       slot `to` becomes as `from`; its logits need not
// State, what one sequence may be followed by; copied with it:
//   allowed()   V bytes, nonzero where an id may follow, or null: all
//   push(id)    takes an id
//   ended()     nothing follows
// `state` is the one after the prefix, not ended.
template <class Scorer, class State>
std::vector<Hypothesis<State>> beam_search(Scorer& scorer, State state, std::span<const std::int64_t> prefix,
                                           std::int64_t max_tokens, const BeamOptions& options) {
  check_beam_options(options);
  if (prefix.empty() || max_tokens < 1)
    throw Error("[beam] a prefix of at least one id and room for at least one more are needed");
  const auto width = static_cast<std::size_t>(options.width);
  const auto n_best = static_cast<std::size_t>(options.n_best);

  struct Live {
    Hypothesis<State> hypothesis;
    std::int64_t slot;
  };
  struct Candidate {
    double log_probability;
    double logit;
    std::size_t parent;
    std::int64_t id;
  };
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    if (a.log_probability != b.log_probability) return a.log_probability > b.log_probability;
    if (a.parent != b.parent) return a.parent < b.parent;
    if (a.logit != b.logit) return a.logit > b.logit;
    return a.id < b.id;
  };
  const auto better = [](const Hypothesis<State>& a, const Hypothesis<State>& b) {
    return a.score > b.score;
  };

  for (const std::int64_t& token : prefix) {
    constexpr std::int64_t first_slot = 0;
    scorer.step(std::span(&first_slot, 1), std::span(&token, 1));
  }
  std::vector<Live> live;
  live.push_back({{{}, 0, 0, false, std::move(state)}, 0});
  std::vector<Hypothesis<State>> done;  // best first
  const auto set_aside = [&](Hypothesis<State> hypothesis) {
    hypothesis.score =
        hypothesis.log_probability /
        length_penalty(static_cast<std::int64_t>(hypothesis.ids.size()), options.length_penalty);
    done.insert(std::upper_bound(done.begin(), done.end(), hypothesis, better), std::move(hypothesis));
  };

  std::vector<Candidate> candidates;
  std::vector<std::int64_t> taken_slots, tokens;
  const double largest_penalty = length_penalty(max_tokens, options.length_penalty);
  for (std::int64_t length = 1;; ++length) {
    // Every continuation of every live hypothesis.
    candidates.clear();
    for (std::size_t parent = 0; parent < live.size(); ++parent) {
      const auto logits = scorer.logits(live[parent].slot);
      const std::uint8_t* allowed = live[parent].hypothesis.state.allowed();
      const auto possible = [&](std::size_t id) { return allowed == nullptr || allowed[id] != 0; };
      double highest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::size_t id = 0; id < logits.size(); ++id)
        if (possible(id)) highest = std::max(highest, static_cast<double>(logits[id]));
      for (std::size_t id = 0; id < logits.size(); ++id)
        if (possible(id)) sum += std::exp(static_cast<double>(logits[id]) - highest);
      if (!(sum >= 1) || !std::isfinite(highest))
        throw Error("[beam] no id can follow: none is allowed, or the logits are not numbers");
      const double normalisation = highest + std::log(sum);
      for (std::size_t id = 0; id < logits.size(); ++id) {
        const auto logit = static_cast<double>(logits[id]);
        if (possible(id) && logit > -std::numeric_limits<double>::infinity())
          candidates.push_back({live[parent].hypothesis.log_probability + (logit - normalisation), logit,
                                parent, static_cast<std::int64_t>(id)});
      }
    }
    const std::size_t kept = std::min(candidates.size(), width - done.size());
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(kept),
                      candidates.end(), likelier);

    std::vector<Live> next;
    std::vector<std::size_t> parents;
    for (std::size_t n = 0; n < kept; ++n) {
      const Candidate& candidate = candidates[n];
      Hypothesis<State> hypothesis = live[candidate.parent].hypothesis;
      hypothesis.ids.push_back(static_cast<int>(candidate.id));
      hypothesis.log_probability = candidate.log_probability;
      hypothesis.state.push(static_cast<int>(candidate.id));
      hypothesis.ended = hypothesis.state.ended();
      if (hypothesis.ended || length == max_tokens) {
        set_aside(std::move(hypothesis));
      } else {
        next.push_back({std::move(hypothesis), -1});
        parents.push_back(candidate.parent);
      }
    }
    if (next.empty()) break;
    if (done.size() >= n_best) {
      double best_to_come = -std::numeric_limits<double>::infinity();
      for (const Live& one : next)
        best_to_come = std::max(best_to_come, one.hypothesis.log_probability / largest_penalty);
      if (done[n_best - 1].score >= best_to_come) break;
    }

    // The first child of a hypothesis keeps its slot, the others get slots that nobody holds.
    std::vector<std::uint8_t> taken(width, 0);
    for (std::size_t n = 0; n < next.size(); ++n) {
      const std::int64_t slot = live[parents[n]].slot;
      if (taken[static_cast<std::size_t>(slot)] != 0) continue;
      taken[static_cast<std::size_t>(slot)] = 1;
      next[n].slot = slot;
    }
    std::size_t free = 0;
    for (std::size_t n = 0; n < next.size(); ++n) {
      if (next[n].slot >= 0) continue;
      while (taken[free] != 0) ++free;
      taken[free] = 1;
      next[n].slot = static_cast<std::int64_t>(free);
      scorer.copy(live[parents[n]].slot, next[n].slot);
    }
    taken_slots.clear();
    tokens.clear();
    for (const Live& one : next) {
      taken_slots.push_back(one.slot);
      tokens.push_back(one.hypothesis.ids.back());
    }
    scorer.step(std::span<const std::int64_t>(taken_slots), std::span<const std::int64_t>(tokens));
    live = std::move(next);
  }
  if (done.size() > n_best) done.erase(done.begin() + static_cast<std::ptrdiff_t>(n_best), done.end());
  return done;
}

}  // namespace imu2music::inline v0
