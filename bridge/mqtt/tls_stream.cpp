#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "bridge/mqtt/byte_stream.h"
#include "bridge/openssl_handles.h"

namespace baudbridge::mqtt {
namespace {

std::string explain_verification(long code, const std::string& host, const std::string& ca_file) {
  std::string text = "the server's certificate was refused: ";
  text += X509_verify_cert_error_string(code);
  switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return text + ": it was made for another name than " + host + "; use the name it was made for in urls";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return text + ": is this machine's clock right?";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return text + ": renew it on the server (or is this machine's clock wrong?)";
    default:
      return text + (ca_file.empty() ? ": set ca_file to the certificate of the authority that signed it"
                                     : ": " + ca_file + " did not sign it");
  }
}

Error wrong_file(const std::string& file) {
  return Error{Fault::config, file + ": " + last_tls_error()};
}

Result<TlsContext> make_context(const BrokerConfig& config) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error{Fault::io, last_tls_error()};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);  // so that writing never waits for reading
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (config.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), config.ca_file.c_str(), nullptr) != 1) {
    return wrong_file(config.ca_file);
  }
  if (!config.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), config.cert_file.c_str()) != 1) {
      return wrong_file(config.cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), config.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return wrong_file(config.key_file);
    }
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

/// False: it cannot be verified.
bool name_server(SSL* session, const std::string& host) {
  in6_addr address{};
  const bool is_address =
      ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (is_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
  }
  return SSL_set1_host(session, host.c_str()) == 1 && SSL_set_tlsext_host_name(session, host.c_str()) == 1;
}

/// The list form of ALPN (RFC 7301 section 3.1): each name after its length.
void name_protocols(SSL* session, const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    list += static_cast<char>(name.size());
    list += name;
  }
  if (list.empty()) return;
  SSL_set_alpn_protos(session, reinterpret_cast<const unsigned char*>(list.data()),
                      static_cast<unsigned int>(list.size()));
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(UniqueFd socket, TlsContext context, TlsSession session, const ServerUrl& server,
            const BrokerConfig& config)
      : socket_(std::move(socket)),
        context_(std::move(context)),
        session_(std::move(session)),
        host_(server.host),
        ca_file_(config.ca_file),
        cert_file_(config.cert_file) {}

  Result<bool> open() override {
    ERR_clear_error();
    const int done = SSL_connect(session_.get());
    wants_to_write_ = false;
    if (done == 1) return true;
    const auto waits = nothing_or_error(done, true);
    if (waits) return false;
    if (const long code = SSL_get_verify_result(session_.get()); code != X509_V_OK) {
      return Error{Fault::refused, explain_verification(code, host_, ca_file_)};
    }
    if (waits.error().kind == Fault::refused) return waits.error();
    const bool told = waits.error().kind == Fault::io;
    return Error{Fault::refused, "the TLS handshake failed" +
                                     (told ? " (" + waits.error().what + ")" : ": the server closed the connection") +
                                     ": is this the broker's TLS port?"};
  }

  Result<std::size_t> read(std::span<char> room) override {
    ERR_clear_error();
    const int count = SSL_read(session_.get(), room.data(), size_of(room.size()));
    wants_to_write_ = false;
    if (count <= 0) return nothing_or_error(count, true);
    heard_ = true;
    return static_cast<std::size_t>(count);
  }
  Result<std::size_t> write(std::string_view bytes) override {
    if (bytes.empty()) return std::size_t{0};
    ERR_clear_error();
    const int count = SSL_write(session_.get(), bytes.data(), size_of(bytes.size()));
    if (count <= 0) return nothing_or_error(count);
    return static_cast<std::size_t>(count);
  }
  void end_writing() override {
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ::shutdown(socket_.get(), SHUT_WR);
  }
  [[nodiscard]] bool wants_to_write() const override { return wants_to_write_; }
  [[nodiscard]] int descriptor() const override { return socket_.get(); }
  [[nodiscard]] std::string missing() const override {
    return "the TLS handshake got no answer: is this the broker's TLS port?";
  }

 private:
  static int size_of(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
  }

  /// reading: if it has to write first, that is wanted although there is nothing to be written.
  Result<std::size_t> nothing_or_error(int returned, bool reading = false) {
    const int failure = errno;
    const int wanted = SSL_get_error(session_.get(), returned);
    if (reading) wants_to_write_ = wanted == SSL_ERROR_WANT_WRITE;
    if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) return std::size_t{0};
    const bool cut = wanted == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    const std::string reason = last_tls_error();
    if (wanted == SSL_ERROR_ZERO_RETURN || cut || (wanted == SSL_ERROR_SYSCALL && failure == 0)) {
      return Error{Fault::closed, "the broker or the network ended it"};
    }
    // TLS 1.3 tells a refused client certificate only after the handshake.
    if (!heard_ && reason.find("alert") != std::string::npos) {
      return Error{Fault::refused,
                   "the server refused the TLS handshake (" + reason + ")" +
                       (cert_file_.empty() ? ": does it want a client certificate (cert_file, key_file)?"
                                           : ": does it accept the client certificate " + cert_file_ + "?")};
    }
    return Error{Fault::io, reason.empty() ? std::strerror(failure) : reason, failure};
  }

  UniqueFd socket_;
  TlsContext context_;
  TlsSession session_;
  std::string host_;
  std::string ca_file_;
  std::string cert_file_;
  bool heard_ = false;  ///< something of what is spoken over it
  bool wants_to_write_ = false;
};

}  // namespace

Result<std::unique_ptr<ByteStream>> tls_stream(UniqueFd socket, const ServerUrl& server, const BrokerConfig& config) {
  auto context = make_context(config);
  if (!context) return context.error();
  TlsSession session(SSL_new(context->get()));
  if (!session) return Error{Fault::io, last_tls_error()};
  SSL_set_fd(session.get(), socket.get());
  if (!name_server(session.get(), server.host)) {
    return Error{Fault::refused, "a certificate cannot be compared with the name " + server.host};
  }
  name_protocols(session.get(), config.alpn);
  return std::unique_ptr<ByteStream>(
      std::make_unique<TlsStream>(std::move(socket), std::move(*context), std::move(session), server, config));
}

}  // namespace baudbridge::mqtt
