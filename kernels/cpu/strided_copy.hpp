// Strided copies have no CPU column: the operations that devices do with them have loops of their own.
#pragma once

#include "../strided_copy_table.hpp"
#include "dispatch.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
void install(ScalarTag, StridedCopyKernels<T>&) {}

}  // namespace imu2music::inline v0::kernels
