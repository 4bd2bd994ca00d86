// Puts a CUDA column into its place before main() begins; every kernel file has install(Table&) for its tables.
#pragma once

#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

template <class Table>
bool put() {
  static const Table table = [] {
    Table t{};
    install(t);
    return t;
  }();
  cuda_column<Table> = &table;
  return true;
}

}  // namespace imu2music::inline v0::kernels::cuda
