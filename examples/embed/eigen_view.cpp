// A tensor's elements as an Eigen matrix, without a copy: eigen_view WEIGHTS
#include <cstdio>
#include <imu2music/core/eigen.hpp>
#include <imu2music/imu2music.hpp>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 2) return std::puts("eigen_view WEIGHTS"), 2;
  const auto model = load_model(argv[1]);
  const auto table = as_matrix(model.embedding.weight.value);  // [V, D]
  const auto pitch = [&](int midi) { return table.row(EventVocabulary1::note_on(midi)).normalized().eval(); };
  std::printf("cosine of C4 and C5 in the embedding: %.3f\n", double(pitch(60).dot(pitch(72))));
  std::printf("cosine of C4 and C#4: %.3f\n", double(pitch(60).dot(pitch(61))));
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
