// NaN stands for a missing sample and -inf for a masked score, and what a file holds is checked for both: a
// compiler that may assume that there is neither would take these checks out.
#pragma once

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "imu2music tells NaN and infinity from numbers: add -fno-finite-math-only after -ffast-math or -Ofast"
#endif
