// Built with -fsyntax-only: macros that a program may have from Qt, from complex.h and from others.
#define signals public
#define slots
#define emit
#define foreach for
#define forever for (;;)
#define I (__extension__ 1.0iF)
#include <imu2music/engine.hpp>
#include <imu2music/imu2music.hpp>
#include <imu2music/train/trainer.hpp>

int main() {}
