#pragma once
// X.509 certificates for tests, made at the first use, in a folder that is removed at the end of the process.
#include <string>

namespace baudbridge::testing {

/// Names: "good" (for localhost and 127.0.0.1), "wrong-host" (for elsewhere.example), "expired" (yesterday),
/// "not-yet-valid" (from tomorrow), all signed by authority(); "stranger" (for localhost, by other_authority());
/// "client", "stranger-client" (by other_authority()).
std::string certificate_file(const std::string& name);
/// The private key of that certificate, mode 600.
std::string key_file(const std::string& name);
/// The CA that a client of these tests trusts.
std::string authority();
std::string other_authority();

}  // namespace baudbridge::testing
