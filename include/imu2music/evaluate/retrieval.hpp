// Whether a window's music tells which motion it belongs to, from the likelihoods of every music under every
// motion.
//
//   s_ij  = log p(y_i | x_j), nats                     scores [K, K]
//   rank  of x_i among all x_j, by s_ij, largest first
//   R@k   = share of rows with rank <= k;  MRR = mean 1 / rank
//   I     = mean_i [ s_ii − log (1/K) Σ_j exp s_ij ]   nats a window, at most ln K
//
// Motions with equal scores stand in an order drawn by lot, and R@k and 1 / rank are the means over these
// orders. A model that does not hear its input has equal scores in every row, and so exactly what chance
// gives: R@k = k / K, MRR = (1 + 1/2 + … + 1/K) / K, I = 0. Windows with the same music cannot be told apart
// by it, so `distinct` of a report should be read beside K.
//
// Cost O(K²). Errors: ShapeError for scores that are not [K, K]. Source of I: A. van den Oord et al.,
// "Representation learning with contrastive predictive coding", arXiv:1807.03748, section 2.3 (there a bound
// on mutual information).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

// K of scores [K, K].
inline std::int64_t check_scores(const Tensor<double>& scores) {
  if (!scores.defined() || scores.rank() != 2 || scores.dim(0) != scores.dim(1) || scores.dim(0) < 1)
    throw ShapeError("[scores] (K, K) is wanted, not " + scores.shape().to_string());
  return scores.dim(0);
}

// What one row gives; the figures of many are their means.
struct RetrievalRow {
  double r1 = 0, r5 = 0;
  double reciprocal_rank = 0;
  double information = 0;  // nats
};

inline std::vector<RetrievalRow> retrieval_rows(const Tensor<double>& scores) {
  const std::int64_t K = check_scores(scores);
  std::vector<RetrievalRow> rows;
  rows.reserve(static_cast<std::size_t>(K));
  for (std::int64_t i = 0; i < K; ++i) {
    const double* row = scores.data() + i * K;
    std::int64_t better = 0, equal = 0;  // equal counts the right one too
    double largest = row[0];
    for (std::int64_t j = 0; j < K; ++j) {
      better += row[j] > row[i];
      equal += row[j] == row[i];
      largest = std::max(largest, row[j]);
    }
    const auto hit = [&](std::int64_t k) {
      return static_cast<double>(std::clamp<std::int64_t>(k - better, 0, equal)) / static_cast<double>(equal);
    };
    RetrievalRow result{hit(1), hit(5), 0, 0};
    for (std::int64_t rank = better + 1; rank <= better + equal; ++rank)
      result.reciprocal_rank += 1 / static_cast<double>(rank);
    result.reciprocal_rank /= static_cast<double>(equal);
    double sum = 0;
    for (std::int64_t j = 0; j < K; ++j) sum += std::exp(row[j] - largest);
    result.information = row[i] - largest - std::log(sum / static_cast<double>(K));
    rows.push_back(result);
  }
  return rows;
}

// What a model that hears nothing gets among K.
inline RetrievalRow retrieval_chance(std::int64_t K) {
  RetrievalRow chance;
  chance.r1 = 1 / static_cast<double>(K);
  chance.r5 = static_cast<double>(std::min<std::int64_t>(5, K)) / static_cast<double>(K);
  for (std::int64_t rank = 1; rank <= K; ++rank) chance.reciprocal_rank += 1 / static_cast<double>(rank);
  chance.reciprocal_rank /= static_cast<double>(K);
  return chance;
}

// The mean of rows, each with the weight of its recording; weights none: all alike. All zero without rows.
inline RetrievalRow mean_of(std::span<const RetrievalRow> rows, std::span<const std::size_t> recording = {},
                            std::span<const double> weights = {}) {
  RetrievalRow mean;
  double total = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double weight = weights.empty() ? 1 : weights[recording[i]];
    mean.r1 += weight * rows[i].r1;
    mean.r5 += weight * rows[i].r5;
    mean.reciprocal_rank += weight * rows[i].reciprocal_rank;
    mean.information += weight * rows[i].information;
    total += weight;
  }
  if (total > 0)
    for (double* value : {&mean.r1, &mean.r5, &mean.reciprocal_rank, &mean.information}) *value /= total;
  return mean;
}

}  // namespace imu2music::inline v0
