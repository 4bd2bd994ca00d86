// Files of expected events, as `verify` takes them.
#include "memory_input.hpp"
#include "verify_events.hpp"

namespace {

void read(std::string_view bytes) {
  const std::string path = fuzz::as_file(bytes);
  is_events_file(path);
  fuzz::require(verify_events_file(path).size() == 7, "the rows");
}

// The tree of a JSON library takes some sixty bytes for each of a list in a list in a list.
const fuzz::Target target("events", read, std::size_t{16} << 20);

}  // namespace
