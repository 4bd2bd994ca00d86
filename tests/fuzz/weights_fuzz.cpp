// A model from a weight file: what is loaded has every parameter, each finite.
#include <cmath>
#include <string>
#include <type_traits>

#include "imu2music/models/weights.hpp"
#include "memory_input.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  auto model = load_model<float>(fuzz::as_file(bytes));
  const auto check = []<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) {
      fuzz::require(entry.value.shape() == entry.shape, "a parameter's shape");
      for (const float value : std::as_const(entry.value).values())
        fuzz::require(std::isfinite(value), "a parameter's value");
    }
  };
  model.visit(check);
}

// A model of the most layers that a config may ask for, before it is found that the file lacks them.
const fuzz::Target target("weights", read, std::size_t{16} << 20);

}  // namespace
