#pragma once
// Looks at certificates and keys before the client library does, because it cannot say what is wrong with them.
#include <string>

#include "bridge/broker_config.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Reads ca_file, cert_file and key_file: present, readable, PEM, key belongs to certificate. The Error (Fault::config)
/// names the file. Called when the configuration is checked and before each connect, since files may be replaced.
Result<void> check_tls_files(const std::string& ca_file, const std::string& cert_file, const std::string& key_file);

/// Finds out why a connection to this server fails, by making one of its own: name lookup, TCP, TLS handshake, no MQTT.
/// The text reads on from "mqtts://broker:8883: ". Empty: as far as it goes, all is well.
/// Threads: any, blocks for up to `patience` and as long as the name server needs.
[[nodiscard]] std::string diagnose_server(const ServerUrl& server, const BrokerConfig& config, Duration patience);

}  // namespace baudbridge
