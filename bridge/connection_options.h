#pragma once
// What a connection to a server is opened with.
#include <string>

#include "bridge/broker_config.h"
#include "bridge/paho_connection.h"
#include "bridge/paho_transport.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// What a server has been found to require.
struct ServerTerms {
  Duration keep_alive{};
  bool retained_will = true;
  int will_qos = 1;
};

/// From the configuration, the purpose and the server's terms; id and epoch are left to the caller. host: the server's
/// name, or one of its addresses. Reads what may have changed since the last attempt: password and TLS files.
/// Errors:  config: the file, the problem, the remedy.
[[nodiscard]] Result<PahoConnection::Options> connection_options(const BrokerConfig& broker, const LinkPurpose& purpose,
                                                                 const ServerUrl& server, const std::string& host,
                                                                 const ServerTerms& terms);

}  // namespace baudbridge
