#pragma once
// Looks at certificates and keys before TLS does, whose errors do not say which file is wrong.
#include <string>

#include "core/result.h"

namespace baudbridge {

/// Reads ca_file, cert_file and key_file: present, readable, PEM, key belongs to certificate. The Error (Fault::config)
/// names the file. Called when the configuration is checked and before each connect, since files may be replaced.
Result<void> check_tls_files(const std::string& ca_file, const std::string& cert_file, const std::string& key_file);

}  // namespace baudbridge
