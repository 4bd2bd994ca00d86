#include "cpu/embedding.hpp"

#include "columns.hpp"

using namespace imu2music;
using kernels::EmbeddingKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

template <class T>
void at_every_width(Isa isa) {
  auto table = kernels::make_table<EmbeddingKernels<T>>(isa);
  const std::int64_t V = 7, B = 2, length = 5, first = 3;
  const std::vector<std::int64_t> ids = {0, 6, 3, 3, 1, 5, 0, 2, 6, 4};
  for (std::int64_t D = 1; D <= 70; ++D)
    for (std::int64_t offset : {0, 1}) {
      test::Numbers numbers(static_cast<std::uint64_t>(D));
      test::GuardedBuffer<T> embeddings(V * D, offset, numbers),
          positions((first + length) * D, offset, numbers);
      for (bool with_positions : {false, true}) {
        test::GuardedBuffer<T> y(B * length * D, offset);
        table.forward(context, ids.data(), embeddings.data(), with_positions ? positions.data() : nullptr,
                      first, y.data(), 0, B * length, length, D);
        bool exact = true;  // one addition: the same bits in every column
        for (std::int64_t b = 0; b < B; ++b)
          for (std::int64_t t = 0; t < length; ++t)
            for (std::int64_t d = 0; d < D; ++d) {
              T expected = embeddings[ids[at(b * length + t)] * D + d];
              if (with_positions) expected += positions[(first + t) * D + d];
              exact = exact && y[(b * length + t) * D + d] == expected;
            }
        INFO(name_of(isa) << ", D = " << D << ", offset " << offset << ", positions " << with_positions);
        CHECK(exact);
        CHECK(y.guards_intact());
      }
    }
}

}  // namespace

TEST_CASE("embedding: every column is the definition at every width around the vectors'") {
  at_every_width<double>(Isa::scalar);
  for (Isa isa : test::all_columns()) at_every_width<float>(isa);
}

TEST_CASE("embedding: rows outside the range stay as they are, nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<EmbeddingKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t D = 1; D <= 40; ++D) {
        const std::vector<std::int64_t> ids = {2, 0, 1, 2};
        test::EdgeBuffer<float> embeddings(test::some_numbers<float>(3 * D, 1), edge);
        test::EdgeBuffer<float> positions(test::some_numbers<float>(4 * D, 2), edge);
        test::EdgeBuffer<float> y(4 * D, edge);
        for (std::int64_t i = 0; i < 4 * D; ++i) y[i] = 77;
        table.forward(context, ids.data(), embeddings.data(), positions.data(), 0, y.data(), 1, 3, 4, D);
        CHECK(y[D - 1] == 77);
        CHECK(y[3 * D] == 77);
        table.forward(context, ids.data(), embeddings.data(), positions.data(), 0, y.data(), 0, 4, 4, D);
        CHECK(y[4 * D - 1] == embeddings[3 * D - 1] + positions[4 * D - 1]);
      }
  }
}
