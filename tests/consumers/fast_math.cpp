#include <imu2music/core/tensor.hpp>

int main() {}
