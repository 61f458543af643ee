#pragma once
// The files of TLS, checked before TLS reads them, because its errors do not name the file; and the ALPN list.
#include <string>
#include <vector>

#include "core/result.h"

namespace baudbridge {

/// Reads ca_file, cert_file and key_file: present, readable, PEM, key belongs to certificate. The Error (Fault::config)
/// names the file. Called when the configuration is checked and before each connect, since files may be replaced.
Result<void> check_tls_files(const std::string& ca_file, const std::string& cert_file, const std::string& key_file);

/// The names of ALPN, each after its length; a name has at most 255 bytes. Source: RFC 7301 section 3.1.
[[nodiscard]] std::string alpn_list(const std::vector<std::string>& names);

}  // namespace baudbridge
