#include "serve.hpp"

#include <exception>
#include <iostream>
#include <vector>

#include "measure.hpp"

namespace bench {

namespace {

class Server {
 public:
  explicit Server(const std::function<Row(const std::string&, const std::string&, int)>& make)
      : make_(make) {}

  nlohmann::ordered_json answer(const nlohmann::json& request) {
    const std::string name = request.at("row"), engine = request.value("peer", "ours");
    const int threads = request.value("threads", 1);
    try {
      const std::string key = name + ' ' + engine + ' ' + std::to_string(threads);
      if (key != key_) {
        row_ = {};  // one at a time in memory
        key_.clear();
        row_ = make_(name, engine, threads);
        if (!request.value("describe_row", false)) row_.work();
        key_ = key;
      }
      if (request.value("describe_row", false)) {
        key_.clear();
        return {{"flops", row_.flops}, {"bytes", row_.bytes}, {"unit", row_.unit}};
      }
      std::vector<double> times = repetitions(row_.work, request.at("seconds"));
      for (double& time : times) time /= row_.units;
      nlohmann::ordered_json result = {{"times", times}};
      if (row_.peak_bytes) result["peak"] = row_.peak_bytes();
      return result;
    } catch (const NotRun& reason) {
      return {{"not_run", reason.what()}};
    }
  }

 private:
  const std::function<Row(const std::string&, const std::string&, int)>& make_;
  std::string key_;
  Row row_;
};

}  // namespace

void serve(const std::function<Row(const std::string&, const std::string&, int)>& make,
           const std::function<nlohmann::ordered_json()>& describe) {
  Server server(make);
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::ordered_json answer;
    try {
      const nlohmann::json request = nlohmann::json::parse(line);
      answer = request.value("describe", false) ? describe() : server.answer(request);
    } catch (const std::exception& error) {
      answer = {{"not_run", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
}

}  // namespace bench
