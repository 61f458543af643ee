#pragma once
#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace baudbridge {

/// What kind of thing went wrong. Code branches on the kind; people read Error::what.
enum class Fault {
  // The kinds that a reading can have; payload words of these: fault_word() in reading.h.
  timeout,
  checksum,
  malformed,
  exception,  ///< the device refused; Error::code is its exception code (Modbus Application Protocol 1.1b3, section 7)
  not_available,
  out_of_range,
  unplugged,
  adapter,
  // The kinds of everything else.
  io,
  protocol,
  config,
  full,
  closed,
  refused,
  in_use,  ///< another program has the port open
};

struct Error {
  Fault kind = Fault::io;
  std::string what;
  int code = 0;
};

/// The same error with the context of a layer above: "boiler: register 40: no response in 500 ms".
[[nodiscard]] inline Error in_context(const std::string& context, Error error) {
  error.what = context + ": " + error.what;
  return error;
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content_.index() == 0; }
  T& operator*() & { return std::get<0>(content_); }
  const T& operator*() const& { return std::get<0>(content_); }
  T&& operator*() && { return std::get<0>(std::move(content_)); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  const Error& error() const { return std::get<1>(content_); }
  friend bool operator==(const Result&, const Result&) = default;

 private:
  std::variant<T, Error> content_;
};

inline bool operator==(const Error& a, const Error& b) {
  return a.kind == b.kind && a.code == b.code;
}

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  explicit operator bool() const { return !failed_; }
  const Error& error() const {
    assert(failed_);
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace baudbridge
