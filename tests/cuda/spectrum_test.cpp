// kernels/cuda/spectrum.cuh beside the CPU.
#include "imu2music/ops/spectrum.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("spectra on the device: the encoder's length and others") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t length : {1, 2, 8, 25, 64})
    for (const std::int64_t rows : {0, 1, 5, 36}) {
      INFO("length " << length << ", rows " << rows);
      const auto x = test::numbers({rows, 2 * length}, 1);
      test::check_close(*context, spectrum(*context, on_device_of(*context, x), SpectrumTables(length)),
                        spectrum(cpu, x, SpectrumTables(length)), 1e-6);
    }
}
