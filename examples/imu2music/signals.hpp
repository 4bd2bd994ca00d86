// How the program ends when it is interrupted: at once and with nothing half-written or, where work is worth
// ending in order, after what is being done.
#pragma once

#include <string_view>

// A handler that leaves nothing half-written behind, then ends the program as the signal would have.
extern "C" void end_by_signal(int signal);

// Handles a signal, except where whoever started the program had it ignored, as nohup has SIGHUP.
void handle_unless_ignored(int signal, void (*handler)(int));

// While it lives, of which there is one at a time, SIGINT, SIGTERM, SIGHUP and SIGQUIT are only noted, to be
// asked for with requested(); one that follows the first ends the program at once. What comes within half a
// second is the same wish, which timeout(1) and closing terminals tell twice; and who hangs up waits for
// nothing.
class OrderlyEnd {
 public:
  // `notice` is told on standard error with the first signal.
  explicit OrderlyEnd(std::string_view notice = {});
  ~OrderlyEnd();
  OrderlyEnd(const OrderlyEnd&) = delete;
  OrderlyEnd& operator=(const OrderlyEnd&) = delete;

  // The first signal; 0: none has come.
  static int requested();
};
