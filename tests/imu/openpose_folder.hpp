// A folder as OpenPose writes it.
#pragma once

#include <string>

#include "openpose_texts.hpp"
#include "support.hpp"

namespace test {

inline void write_openpose(const std::string& folder, int frames, int first = 0, bool hands = true) {
  for (int frame = 0; frame < frames; ++frame)
    write_file(folder + "/" + openpose_name(first + frame),
               openpose_frame(openpose_person(frame, 300, 200, hands)));
}

}  // namespace test
