// The log of a run as `plot` reads it, and the curves drawn of it.
#include <cmath>

#include "memory_input.hpp"
#include "training_log.hpp"

namespace {

void read(std::string_view bytes) {
  const training_log::Curves curves = training_log::read(fuzz::as_file(bytes));
  fuzz::require(curves.smoothed.size() == curves.training.size(), "the running mean");
  fuzz::allow(200 * bytes.size() + (std::size_t{1} << 20));
  const std::string svg = training_log::svg_of(curves, "run");
  fuzz::require(svg.find("nan") == std::string::npos && svg.find("inf") == std::string::npos, "a coordinate");
  fuzz::require(svg.size() < 20000 + 100 * (2 * curves.training.size() + curves.validation.size()),
                "the picture's size");
}

const fuzz::Target target("training_log", read);

}  // namespace
