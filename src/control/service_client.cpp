#include "src/control/service_client.h"

#include <utility>

#include "src/config/places.h"
#include "src/json.h"

namespace baudbridge {

Result<ServiceClient> ServiceClient::connect(const Config& config, const std::string& service_dir) {
  const std::string path = config.queue.runtime_dir + "/" + kControlSocket;
  auto client = ControlClient::connect(path);
  if (client) return ServiceClient(path, std::move(*client));
  // $RUNTIME_DIRECTORY is known to the service alone. A folder that the configuration names is not the service's.
  const std::string other = service_dir + "/" + kControlSocket;
  const bool named = config.queue.runtime_dir != default_runtime_dir();
  if (client.error().kind != Fault::unplugged || named || path == other) return client.error();
  auto second = ControlClient::connect(other);
  if (!second) return second.error().kind == Fault::unplugged ? client.error() : second.error();
  ServiceClient service(other, std::move(*second));
  const auto answer = service.ask(R"({"do":"status"})");
  const auto status = answer ? parse_json(*answer) : std::nullopt;
  if (!status || text_of(*status, "gateway") != config.gateway.id) return client.error();
  return service;
}

Result<std::string> ServiceClient::ask(const std::string& request) {
  auto line = client_.ask(request);
  if (!line) return in_context(path_, line.error());
  const auto answer = parse_json(*line);
  if (!answer) return Error{Fault::protocol, path_ + ": the socket's owner is not baudbridge"};
  if (!flag_of(*answer, "ok"))
    return Error{Fault::refused, text_of(*answer, "error", "the service rejected the request")};
  return line;
}

}  // namespace baudbridge
