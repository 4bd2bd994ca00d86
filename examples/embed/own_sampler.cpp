// Your own choice of the next token, from the model's logits: own_sampler WEIGHTS RECORDING
// Here: the likeliest event, a note-on made half as likely each time it has been played.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <imu2music/imu2music.hpp>
#include <vector>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 3) return std::puts("own_sampler WEIGHTS RECORDING"), 2;
  const auto model = load_model(argv[1]);
  const MotionInputs motion(read_recording(argv[2]), model.config);
  Session session(model);
  session.start_from_motion(motion.input<float>(0, std::min(motion.frames, motion.window_frames)));
  std::vector<int> ids, played(EventVocabulary1::size);
  for (int token = EventVocabulary1::sos; session.position() < session.capacity(); ids.push_back(token)) {
    const auto logits = session.step(token);
    const auto score = [&](int id) { return double(logits[id]) - std::log(2.0) * played[id]; };
    token = 0;
    for (int id = 1; id < EventVocabulary1::sos; ++id)  // events that vocabularies 1 and 2 have in common
      if (score(id) > score(token)) token = id;
    played[token] += EventVocabulary1::is_note_on(token);
  }
  std::printf("%zu events, %zu notes\n", ids.size(), EventVocabulary1::decode(ids).size());
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
