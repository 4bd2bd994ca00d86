// Training against expected gradients, losses and weights.
#pragma once

#include <kernel_context.hpp>
#include <string>
#include <vector>

#include "imu2music/core/device.hpp"
#include "verify_table.hpp"

namespace imu2music {

// The first training step on the batch that EXPECTED holds, every dropout 0, and the losses and weights of
// three steps of Adam (3e-4; .9, .98, 1e-9; L2 1e-5). precision: "double", "float" or "both"; any other is in
// float, on a device that rounds products as `products` says. A tensor passes where ||got - wanted|| is at
// most, in double, 1e-6 ||wanted|| + 1e-9 of the largest norm among its kind, in float 1e-2 ||wanted|| + 1e-6
// of it, with rounded products 2e-2 and 1e-3; losses in float 1e-4, with rounded products 2e-2. In float it
// trains on the device; double is the CPU's.
std::vector<Row> verify_training(const std::string& weights, const std::string& expected_path, int threads,
                                 const std::string& precision, Device device,
                                 kernels::MatrixPrecision products);

}  // namespace imu2music
