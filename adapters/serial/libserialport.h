#pragma once
// The handles of libserialport with an owner; private to this folder, which is the only user of the library.
#include <libserialport.h>

#include <memory>

namespace baudbridge {

struct FreeSpPort {
  void operator()(sp_port* port) const { sp_free_port(port); }
};
using SpPort = std::unique_ptr<sp_port, FreeSpPort>;

}  // namespace baudbridge
