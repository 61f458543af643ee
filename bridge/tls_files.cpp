#include "bridge/tls_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/unique_fd.h"

namespace baudbridge {
namespace {

template <auto Free>
struct Release {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
using File = std::unique_ptr<std::FILE, Release<std::fclose>>;
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Release<SSL_free>>;
using Addresses = std::unique_ptr<addrinfo, Release<freeaddrinfo>>;

Error wrong(const std::string& file, const std::string& what) {
  return Error{Fault::config, file + ": " + what};
}

Result<File> open_file(const std::string& name) {
  File file(std::fopen(name.c_str(), "re"));
  if (!file) return wrong(name, std::strerror(errno));
  return file;
}

Result<Certificate> read_certificate(const std::string& name) {
  auto file = open_file(name);
  if (!file) return file.error();
  ERR_clear_error();
  Certificate certificate(PEM_read_X509(file->get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return wrong(name, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  return certificate;
}

Result<Key> read_key(const std::string& name) {
  auto file = open_file(name);
  if (!file) return file.error();
  // An encrypted key would ask on the terminal: nobody is there to answer.
  const auto no_password = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  bool asked = false;
  Key key(PEM_read_PrivateKey(file->get(), nullptr, no_password, &asked));
  ERR_clear_error();
  if (asked)
    return wrong(name, "is encrypted; a service cannot type a password, so store it unencrypted with mode 600");
  if (!key) return wrong(name, "holds no private key in PEM form");
  return key;
}

/// Waits for a socket. False: the time is over.
bool ready(int socket, short events, Steady deadline) {
  const auto left = deadline - Steady(std::chrono::steady_clock::now());
  const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  pollfd waiting{socket, events, 0};
  return left_ms > 0 && ::poll(&waiting, 1, static_cast<int>(left_ms)) > 0;
}

/// A connected socket, or errno of the last address tried.
Result<UniqueFd> connect_to(const addrinfo* address, Steady deadline) {
  int failure = ETIMEDOUT;
  for (; address != nullptr; address = address->ai_next) {
    UniqueFd socket(
        ::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol));
    if (!socket) {
      failure = errno;
      continue;
    }
    if (::connect(socket.get(), address->ai_addr, address->ai_addrlen) == 0) return socket;
    failure = errno;
    if (failure != EINPROGRESS) continue;
    if (!ready(socket.get(), POLLOUT, deadline)) {
      failure = ETIMEDOUT;
      continue;
    }
    socklen_t size = sizeof failure;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure == 0) return socket;
  }
  return Error{Fault::io, std::strerror(failure), failure};
}

std::string last_tls_error() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    if (const char* reason = ERR_reason_error_string(code)) text = reason;
  }
  return text;
}

std::string explain_verification(long code, const ServerUrl& server, const BrokerConfig& config) {
  std::string text = "the server's certificate was refused: ";
  text += X509_verify_cert_error_string(code);
  switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return text + ": it was made for another name than " + server.host + "; use the name it was made for in urls";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return text + ": is this machine's clock right?";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return text + ": renew it on the server (or is this machine's clock wrong?)";
    default:
      return text + (config.ca_file.empty() ? ": set ca_file to the certificate of the authority that signed it"
                                            : ": " + config.ca_file + " did not sign it");
  }
}

Result<Context> make_context(const BrokerConfig& config) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error{Fault::io, last_tls_error()};
  if (config.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), config.ca_file.c_str(), nullptr) != 1) {
    return wrong(config.ca_file, last_tls_error());
  }
  if (!config.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), config.cert_file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context.get(), config.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return wrong(config.cert_file, last_tls_error());
    }
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

void name_server(SSL* session, const std::string& host) {
  in6_addr address{};
  const bool is_address =
      ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str());
  } else {
    SSL_set1_host(session, host.c_str());
    SSL_set_tlsext_host_name(session, host.c_str());
  }
}

/// The handshake, and (TLS 1.3 tells a refused client certificate only afterwards) the server's first word, if it
/// comes.
std::string diagnose_tls(int socket, const ServerUrl& server, const BrokerConfig& config, Steady deadline) {
  auto context = make_context(config);
  if (!context) return context.error().what;
  Session session(SSL_new(context->get()));
  SSL_set_fd(session.get(), socket);
  name_server(session.get(), server.host);
  ERR_clear_error();
  for (bool shaken = false;;) {
    char byte = 0;
    const int done = shaken ? SSL_read(session.get(), &byte, 1) : SSL_connect(session.get());
    if (done == 1) {
      if (shaken) return "";
      shaken = true;
      deadline = std::min(deadline, Steady(std::chrono::steady_clock::now()) + std::chrono::milliseconds(300));
      continue;
    }
    const int wanted = SSL_get_error(session.get(), done);
    if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) {
      if (ready(socket, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) continue;
      return shaken ? "" : "the TLS handshake got no answer: is this the broker's TLS port?";
    }
    if (const long code = SSL_get_verify_result(session.get()); code != X509_V_OK && !shaken) {
      return explain_verification(code, server, config);
    }
    const std::string reason = last_tls_error();
    if (reason.find("alert") != std::string::npos) {
      return "the server refused the TLS handshake (" + reason + ")" +
             (config.cert_file.empty() ? ": does it want a client certificate (cert_file, key_file)?"
                                       : ": does it accept the client certificate " + config.cert_file + "?");
    }
    if (shaken) return "";
    return "the TLS handshake failed" +
           (reason.empty() ? std::string(": the server closed the connection") : " (" + reason + ")") +
           ": is this the broker's TLS port?";
  }
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
  if (match != 1) return wrong(key_file, "does not belong to the certificate " + cert_file);
  return {};
}

std::string diagnose_server(const ServerUrl& server, const BrokerConfig& config, Duration patience) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
  const Addresses addresses(found);
  if (failure != 0) {
    return "the name " + server.host + " was not found (" + ::gai_strerror(failure) +
           "): check the name and this machine's name server";
  }
  const Steady deadline = Steady(std::chrono::steady_clock::now()) + patience;
  auto socket = connect_to(addresses.get(), deadline);
  if (!socket) {
    const int code = socket.error().code;
    if (code == ECONNREFUSED) return "connection refused: nothing listens on port " + std::to_string(server.port);
    if (code == ETIMEDOUT) return "timed out: no answer from port " + std::to_string(server.port);
    return "cannot connect: " + socket.error().what;
  }
  return server.tls() ? diagnose_tls(socket->get(), server, config, deadline) : std::string();
}

}  // namespace baudbridge
