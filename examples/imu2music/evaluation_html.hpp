// An evaluation as one HTML file: figures, pictures and what they mean, in light and dark, without scripts or
// anything from elsewhere.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "imu2music/evaluate/evaluation.hpp"

struct EvaluationHeading {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;  // name, value: weights, data, split, …
  std::string warning;                                     // empty: none
};

std::string evaluation_html(const imu2music::Evaluation& evaluation, const EvaluationHeading& heading);
