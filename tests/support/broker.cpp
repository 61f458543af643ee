#include "support/broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "support/certificates.h"

namespace baudbridge::testing {
namespace {

bool accepts_connections(std::uint16_t port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Broker::Broker(BrokerOptions options) : port_(free_port()), plain_port_(options.websocket ? free_port() : port_) {
  const bool tls = !options.certificate.empty();
  if (options.websocket) {
    scheme_ = tls ? "wss" : "ws";
  } else if (tls) {
    scheme_ = "mqtts";
  }
  write_config(options);
  start();
}

Broker::~Broker() {
  if (process_) process_->kill(SIGCONT);
}

void Broker::write_config(const BrokerOptions& options) {
  std::ofstream config(dir_.file("mosquitto.conf"));
  config << "listener " << port_ << " 127.0.0.1\n";
  if (options.websocket) config << "protocol websockets\n";
  if (!options.certificate.empty()) {
    config << "certfile " << certificate_file(options.certificate) << "\n"
           << "keyfile " << key_file(options.certificate) << "\n";
  }
  if (!options.client_authority.empty()) {
    config << "cafile " << options.client_authority << "\nrequire_certificate true\n";
  }
  // Mosquitto 2.0.11 does not start with WebSockets alone.
  if (options.websocket) config << "listener " << plain_port_ << " 127.0.0.1\n";
  // Started by root it would become another user, who may not look into our folder.
  if (::geteuid() == 0) config << "user root\n";
  config << "allow_anonymous " << (options.users.empty() ? "true" : "false") << "\n";
  if (!options.users.empty()) {
    const std::string file = dir_.file("passwords");
    std::ofstream(file).close();
    for (const auto& [name, password] : options.users) {
      const auto made = run_program({"mosquitto_passwd", "-b", file, name, password});
      if (made.status != 0) throw std::runtime_error("mosquitto_passwd: " + made.error_output);
    }
    config << "password_file " << file << "\n";
  }
  if (!options.acl.empty()) {
    std::ofstream acl(dir_.file("acl"));
    for (const auto& line : options.acl) acl << line << "\n";
    config << "acl_file " << dir_.file("acl") << "\n";
  }
  if (options.persistence) config << "persistence true\npersistence_location " << dir_.path() << "/\n";
  for (const auto& line : options.config) config << line << "\n";
}

std::string Broker::url() const {
  const char* host = scheme_ == "mqtts" || scheme_ == "wss" ? "localhost" : "127.0.0.1";
  return scheme_ + "://" + host + ":" + std::to_string(port_);
}

void Broker::stop() {
  if (process_) process_->stop(SIGTERM);
  process_.reset();
}

void Broker::kill() {
  if (process_) process_->stop(SIGKILL);
  process_.reset();
}

void Broker::start() {
  process_ = std::make_unique<Process>(std::vector<std::string>{"mosquitto", "-v", "-c", dir_.file("mosquitto.conf")});
  const bool ready = eventually([this] { return accepts_connections(port_) || !process_->running(); });
  if (!ready || !process_->running()) {
    throw std::runtime_error("mosquitto does not start:\n" + process_->error_output());
  }
}

void Broker::freeze() {
  process_->kill(SIGSTOP);
}
void Broker::thaw() {
  process_->kill(SIGCONT);
}

}  // namespace baudbridge::testing
