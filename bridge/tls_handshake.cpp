#include "bridge/tls_handshake.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bridge/openssl_handles.h"
#include "bridge/tls_files.h"

namespace baudbridge {
namespace {

using Names = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;

bool is_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::string address_text(const ASN1_OCTET_STRING& bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int length = ASN1_STRING_length(&bytes);
  const int family = length == 4 ? AF_INET : AF_INET6;
  if (length == 4 || length == 16) ::inet_ntop(family, ASN1_STRING_get0_data(&bytes), text, sizeof text);
  return text;
}

/// "broker.example.com, 10.0.0.5": the subject's alternative names (RFC 5280 section 4.2.1.6); empty: none.
std::string names_of(X509& certificate) {
  const Names names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME& name = *sk_GENERAL_NAME_value(names.get(), i);
    std::string one;
    if (name.type == GEN_DNS) {
      one.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name.d.dNSName)),
                 static_cast<std::size_t>(ASN1_STRING_length(name.d.dNSName)));
    } else if (name.type == GEN_IPADD) {
      one = address_text(*name.d.iPAddress);
    }
    if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

std::string explain_verification(long code, const std::string& names, const std::string& host,
                                 const std::string& ca_file) {
  std::string text = "the server's certificate was rejected: ";
  text += X509_verify_cert_error_string(code);
  switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return text + ": it is not valid for " + host + ", but for " + (names.empty() ? "another name" : names) +
             "; use a name that it is valid for in urls";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return text + ": check this machine's clock";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return text + ": renew it on the server, or check this machine's clock";
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
  return context;
}

/// False: a certificate cannot be compared with this name.
bool require_name(SSL* session, const std::string& host) {
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
  return SSL_set1_host(session, host.c_str()) == 1 && SSL_set_tlsext_host_name(session, host.c_str()) == 1;
}

void offer_protocols(SSL* session, const std::vector<std::string>& names) {
  const std::string list = alpn_list(names);
  if (list.empty()) return;
  SSL_set_alpn_protos(session, reinterpret_cast<const unsigned char*>(list.data()),
                      static_cast<unsigned int>(list.size()));
}

}  // namespace

struct TlsHandshake::Session {
  TlsContext context;
  TlsSession tls;
  std::string names{};  ///< of a certificate that was rejected

  /// OpenSSL forgets the certificate that it rejects.
  static int keep_names(int accepted, X509_STORE_CTX* verification) {
    auto* tls = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509* certificate = X509_STORE_CTX_get0_cert(verification);
    if (accepted == 0 && certificate != nullptr) {
      static_cast<Session*>(SSL_get_app_data(tls))->names = names_of(*certificate);
    }
    return accepted;
  }
};

TlsHandshake::TlsHandshake(UniqueFd socket, const ServerUrl& server, const BrokerConfig& broker)
    : socket_(std::move(socket)), server_(server), broker_(broker) {}

TlsHandshake::~TlsHandshake() = default;

Result<void> TlsHandshake::begin() {
  auto context = make_context(broker_);
  if (!context) return context.error();
  TlsSession tls(SSL_new(context->get()));
  if (!tls) return Error{Fault::io, last_tls_error()};
  SSL_set_fd(tls.get(), socket_.get());
  if (!require_name(tls.get(), server_.host)) {
    return Error{Fault::refused, "a certificate cannot be compared with the name " + server_.host};
  }
  offer_protocols(tls.get(), broker_.alpn);
  session_ = std::make_unique<Session>(Session{std::move(*context), std::move(tls)});
  SSL_set_app_data(session_->tls.get(), session_.get());
  SSL_set_verify(session_->tls.get(), SSL_VERIFY_PEER, Session::keep_names);
  return {};
}

Result<bool> TlsHandshake::advance(Steady now) {
  if (session_ == nullptr) {
    if (auto begun = begin(); !begun) return begun.error();
  }
  SSL* tls = session_->tls.get();
  for (;;) {
    ERR_clear_error();
    char byte = 0;
    const int returned = handshake_done_ ? SSL_read(tls, &byte, 1) : SSL_connect(tls);
    if (returned == 1 && handshake_done_) return true;
    if (returned == 1) {
      handshake_done_ = true;
      until_ = now + kRejectionTime;
      continue;
    }
    const int wanted = SSL_get_error(tls, returned);
    if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) {
      events_ = wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      return now >= until_;  // without an alert the server accepts the certificate
    }
    return explain();
  }
}

/// Of the last failed call. True: the handshake was done, and the connection ended for a reason that is not TLS.
Result<bool> TlsHandshake::explain() const {
  const unsigned long failure = ERR_peek_error();
  const bool alert = ERR_GET_LIB(failure) == ERR_LIB_SSL && ERR_GET_REASON(failure) >= SSL_AD_REASON_OFFSET;
  const std::string reason = last_tls_error();
  if (alert) {
    return Error{Fault::refused, "the server rejected the TLS handshake (" + reason + ")" +
                                     (broker_.cert_file.empty()
                                          ? ": set cert_file and key_file if it requires a client certificate"
                                          : ": check that it accepts the client certificate " + broker_.cert_file)};
  }
  if (handshake_done_) return true;
  const SSL* tls = session_->tls.get();
  if (const long code = SSL_get_verify_result(tls); code != X509_V_OK) {
    return Error{Fault::refused, explain_verification(code, session_->names, server_.host, broker_.ca_file)};
  }
  return Error{Fault::refused,
               "the TLS handshake failed" +
                   (reason.empty() ? std::string(": the server closed the connection") : " (" + reason + ")") +
                   ": check that port " + std::to_string(server_.port) + " is the broker's TLS port"};
}

Awaited TlsHandshake::awaited() const {
  return {socket_.get(), events_, session_ == nullptr ? Steady::min() : until_};
}

}  // namespace baudbridge
