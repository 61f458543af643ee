#pragma once
// The handles of libserialport with an owner; private to this folder, which is the only user of the library.
#include <libserialport.h>

#include <memory>
#include <string>

namespace baudbridge {

struct FreeSpPort {
  void operator()(sp_port* port) const { sp_free_port(port); }
};
struct FreeSpPortList {
  void operator()(sp_port** list) const { sp_free_port_list(list); }
};
using SpPort = std::unique_ptr<sp_port, FreeSpPort>;
using SpPortList = std::unique_ptr<sp_port*, FreeSpPortList>;

/// What the library has to say about its last failure.
[[nodiscard]] inline std::string sp_error_text() {
  char* const text = sp_last_error_message();
  std::string copy = text != nullptr ? text : "unknown error";
  sp_free_error_message(text);
  return copy;
}

}  // namespace baudbridge
