// An evaluation as JSON.
//
// Every figure is a number, or null where there is nothing to form it of. Under "intervals" stands, by the
// figure's path ("onset_f1.50"), its 95 % bootstrap interval by recording with the windows and recordings it
// rests on; null bounds where there is no interval. docs/evaluation.md lists the keys.
#pragma once

#include <nlohmann/json.hpp>

#include "imu2music/evaluate/evaluation.hpp"

nlohmann::ordered_json evaluation_json(const imu2music::Evaluation& evaluation);
