#include "bridge/tls_files.h"

#include <openssl/pem.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "bridge/openssl_handles.h"

namespace baudbridge {
namespace {

using File = std::unique_ptr<std::FILE, Release<std::fclose>>;

Error file_error(const std::string& file, const std::string& what) {
  return Error{Fault::config, file + ": " + what};
}

Result<File> open_file(const std::string& name) {
  File file(std::fopen(name.c_str(), "re"));
  if (!file) return file_error(name, std::strerror(errno));
  return file;
}

Result<Certificate> read_certificate(const std::string& name) {
  auto file = open_file(name);
  if (!file) return file.error();
  ERR_clear_error();
  Certificate certificate(PEM_read_X509(file->get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return file_error(name, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  return certificate;
}

Result<Key> read_key(const std::string& name) {
  auto file = open_file(name);
  if (!file) return file.error();
  // Otherwise an encrypted key would prompt for a password on the terminal.
  const auto no_password = [](char*, int, int, void* encrypted) {
    *static_cast<bool*>(encrypted) = true;
    return -1;
  };
  bool encrypted = false;
  Key key(PEM_read_PrivateKey(file->get(), nullptr, no_password, &encrypted));
  ERR_clear_error();
  if (encrypted) return file_error(name, "is encrypted: store it unencrypted, with mode 600");
  if (!key) return file_error(name, "holds no private key in PEM form");
  return key;
}

}  // namespace

Result<void> check_tls_files(const std::string& ca_file, const std::string& cert_file, const std::string& key_file) {
  if (!ca_file.empty()) {
    if (auto authority = read_certificate(ca_file); !authority) return authority.error();
  }
  if (cert_file.empty() || key_file.empty()) return {};
  auto certificate = read_certificate(cert_file);
  if (!certificate) return certificate.error();
  auto key = read_key(key_file);
  if (!key) return key.error();
  const int match = X509_check_private_key(certificate->get(), key->get());
  ERR_clear_error();
  if (match != 1) return file_error(key_file, "does not belong to the certificate " + cert_file);
  return {};
}

std::string alpn_list(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    list += static_cast<char>(name.size());
    list += name;
  }
  return list;
}

}  // namespace baudbridge
