#include "cpu/embedding_backward.hpp"

#include "columns.hpp"

using namespace imu2music;
using kernels::EmbeddingBackwardKernels;
using kernels::Isa;

namespace {

const kernels::Context context;
const std::vector<std::int64_t> ids = {2, 0, 2, 4, 2, 0, 1};

}  // namespace

TEST_CASE("embedding_backward: every column is the definition, to the bit, at every width and range") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<EmbeddingBackwardKernels<float>>(isa);
    for (std::int64_t D = 1; D <= 40; ++D)
      for (std::int64_t begin : {0, 1, 16})
        for (std::int64_t end : {D / 2, D}) {
          if (begin > end) continue;
          test::Numbers numbers(static_cast<std::uint64_t>(D));
          test::GuardedBuffer<float> dy(7 * D, 1, numbers), dtable(5 * D, 3, numbers);
          std::vector<float> wanted(dtable.data(), dtable.data() + 5 * D);
          for (std::size_t n = 0; n < ids.size(); ++n)
            for (std::int64_t d = begin; d < end; ++d)
              wanted[static_cast<std::size_t>(ids[n] * D + d)] += dy[static_cast<std::int64_t>(n) * D + d];
          table.backward(context, dy.data(), ids.data(), dtable.data(), 7, begin, end, D);
          INFO(name_of(isa) << ", D = " << D << ", columns " << begin << " to " << end);
          CHECK(test::same_bits(dtable.data(), wanted.data(), 5 * D));
          CHECK(dtable.guards_intact());
        }
  }
}

TEST_CASE("embedding_backward: nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<EmbeddingBackwardKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t D = 1; D <= 34; ++D) {
        test::EdgeBuffer<float> dy(test::some_numbers<float>(7 * D, 1), edge), dtable(5 * D, edge);
        table.backward(context, dy.data(), ids.data(), dtable.data(), 7, 0, D, D);
        CHECK(dtable[5 * D - 1] == dy[4 * D - 1]);  // token 4 stands in row 3 alone
      }
  }
}
