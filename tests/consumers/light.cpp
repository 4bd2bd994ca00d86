// Built with -fsyntax-only, -ffast-math, -fno-exceptions and -fno-rtti: what a plug-in may set, and the
// macros of windows.h. All that engine.hpp computes stands in the file that implements it.
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define near
#define far
#include <imu2music/engine.hpp>

int main() {}
