// Your own choice of the next token, from the model's logits: own_sampler WEIGHTS
// Here: the likeliest event, a note-on made half as likely each time it has been played.
#include <cmath>
#include <cstdio>
#include <imu2music/imu2music.hpp>
#include <vector>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 2) return std::puts("own_sampler WEIGHTS"), 2;
  const auto model = load_model(argv[1]);
  Session session(model);
  session.start_from_motion(Tensor<float>({1, 2, 3, 150}));  // features of six still seconds
  std::vector<int> ids, played(EventVocabulary1::size);
  for (int token = EventVocabulary1::sos; session.position() < session.capacity(); ids.push_back(token)) {
    const auto logits = session.step(token);
    int best = 0;
    const auto score = [&](int id) { return double(logits[id]) - std::log(2.0) * played[id]; };
    for (int id = 1; id < EventVocabulary1::sos; ++id)
      if (score(id) > score(best)) best = id;
    token = best;
    played[token] += EventVocabulary1::is_note_on(token);
  }
  std::printf("%zu events, %zu notes\n", ids.size(), EventVocabulary1::decode(ids).size());
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
