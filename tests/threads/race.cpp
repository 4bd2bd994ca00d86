// A data race on purpose: under ThreadSanitizer this program must fail, or the other tests prove nothing.
#include <thread>

int main() {
  int count = 0;
  const auto add = [&] {
    for (int n = 0; n < 1000; ++n) ++count;
  };
  std::thread one(add), other(add);
  one.join();
  other.join();
}
