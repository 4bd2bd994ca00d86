// What `verify` compares with, and the table it makes of it.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/core/dtype.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/io/safetensors.hpp"

namespace imu2music {

// One line of the table. A row without errors to show was absent.
struct Row {
  std::string name;
  bool absent = false, passed = true;
  double max_abs_error = 0, max_rel_error = 0;
  std::string note = {};
};

// The tensors of an EXPECTED file, converted as wanted. A number that is not finite is bad input: nothing can
// be compared with it.
class Expected {
 public:
  explicit Expected(const std::string& path) : file_(read_safetensors(path)) {}

  const TensorFile& file() const { return file_; }
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  template <class T = float>
  Tensor<T> values(const std::string& name) const {
    const TensorEntry& entry = *file_.find(name);
    Tensor<T> tensor = Tensor<T>::uninitialised(entry.shape);
    copy_values(entry, tensor.data());
    if constexpr (std::is_floating_point_v<T>)
      for (T value : std::as_const(tensor).values())
        if (!std::isfinite(value))
          throw InputError(file_.path, "tensor " + name + " holds a value that is not finite",
                           "it must be finite to be compared or computed with");
    return tensor;
  }

  void require(bool fits, const std::string& name, const std::string& wanted) const {
    if (!fits)
      throw InputError(file_.path, "tensor " + name + " is " + file_.find(name)->shape.to_string(),
                       "for these weights it must be " + wanted);
  }

  Tensor<std::int64_t> tokens(const std::string& name, std::int64_t vocabulary) const {
    const Dtype dtype = file_.find(name)->dtype;
    if (is_floating(dtype))
      throw InputError(file_.path, "tensor " + name + " holds " + name_of(dtype), "tokens are whole numbers");
    Tensor<std::int64_t> ids = values<std::int64_t>(name);
    for (std::int64_t id : ids.values())
      if (id < 0 || id >= vocabulary)
        throw InputError(file_.path, "tensor " + name + " holds the token " + std::to_string(id),
                         "the vocabulary of these weights has ids 0 to " + std::to_string(vocabulary - 1));
    return ids;
  }

 private:
  TensorFile file_;
};

inline Row absent(const std::string& name, const std::string& note) {
  Row row{name};
  row.absent = true;
  row.note = note;
  return row;
}

}  // namespace imu2music
