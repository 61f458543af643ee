#pragma once
// OpenSSL's objects with owners. Private to this folder.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace baudbridge {

template <auto Free>
struct Release {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using TlsContext = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using TlsSession = std::unique_ptr<SSL, Release<SSL_free>>;

/// The reason of the last error, or nothing; empties the thread's queue of errors.
inline std::string last_tls_error() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    if (const char* reason = ERR_reason_error_string(code)) text = reason;
  }
  return text;
}

}  // namespace baudbridge
