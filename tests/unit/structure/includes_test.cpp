// Who may include whom (CONTRIBUTING.md, "Folders").
#include <algorithm>
#include <map>
#include <set>

#include "support/catch.h"
#include "unit/structure/source_tree.h"

using namespace baudbridge::testing;

namespace {

const std::vector<std::string> kFloors{"core", "offline_queue", "bridge", "adapters", "src"};

/// Each floor stands on these and on nothing else.
const std::map<std::string, std::set<std::string>> kStandsOn{
    {"core", {"core"}},
    {"offline_queue", {"offline_queue", "core"}},
    {"bridge", {"bridge", "offline_queue", "core"}},
    {"adapters", {"adapters", "core"}},
    {"src", {"src", "bridge", "adapters", "offline_queue", "core"}},
};

/// Each library of others, by how its headers' names begin, and the files that may include it.
const std::map<std::string, std::set<std::string>> kLibraries{
    {"toml++/", {"core/config_tree.cpp"}},
    {"sqlite3.h", {"offline_queue/sqlite.cpp", "offline_queue/sqlite.h"}},
    {"openssl/", {"bridge/openssl_handles.h", "bridge/tls_files.cpp", "bridge/tls_handshake.cpp"}},
    {"MQTTAsync.h", {"bridge/paho_library.h"}},
    {"modbus/", {"adapters/modbus/server/server_context.cpp"}},
    {"libserialport.h", {"adapters/serial/libserialport.h"}},
    {"pcre2.h", {"adapters/serial/pattern.cpp"}},
    {"boost/", {"src/cli/options.cpp"}},
    // JSON, in four folders; each at one place.
    {"nlohmann/",
     {"offline_queue/queue_json.cpp", "bridge/commands.cpp", "adapters/serial/decoders/json.cpp", "src/json.h"}},
};

/// Headers of the C library, the kernel and the compiler that have no folder of their own.
const std::set<std::string> kSystemHeaders{"arm_acle.h", "nmmintrin.h", "dirent.h",  "dlfcn.h",  "fcntl.h",
                                           "glob.h",     "grp.h",       "ifaddrs.h", "malloc.h", "netdb.h",
                                           "poll.h",     "pthread.h",   "pwd.h",     "sched.h",  "signal.h",
                                           "spawn.h",    "syslog.h",    "termios.h", "time.h",   "unistd.h"};

bool is_system(const std::string& name) {
  if (name.find('.') == std::string::npos && name.find('/') == std::string::npos) return true;  // <vector>
  if (kSystemHeaders.contains(name)) return true;
  for (const char* folder : {"sys/", "linux/", "asm/", "net/", "netinet/", "arpa/"}) {
    if (name.starts_with(folder)) return true;
  }
  return false;
}

std::string protocol_of(const std::string& path) {
  if (!path.starts_with("adapters/")) return {};
  const std::string rest = path.substr(std::string("adapters/").size());
  const std::size_t slash = rest.find('/');
  return slash == std::string::npos ? std::string() : rest.substr(0, slash);
}

}  // namespace

TEST_CASE("no layer includes a layer above it or of the same level") {
  for (const SourceFile& file : files_of(kFloors, {".h", ".cpp"})) {
    for (const Include& include : file.includes()) {
      if (include.angled) continue;
      INFO(file.path << " includes " << include.name);
      CHECK(std::filesystem::exists(std::filesystem::path(SOURCE_DIR) / include.name));
      CHECK(kStandsOn.at(file.floor()).contains(include.name.substr(0, include.name.find('/'))));
    }
  }
}

TEST_CASE("each external library is included at one place, and an unlisted one is found") {
  for (const SourceFile& file : files_of(kFloors, {".h", ".cpp"})) {
    for (const Include& include : file.includes()) {
      if (!include.angled || is_system(include.name)) continue;
      INFO(file.path << " includes <" << include.name << ">");
      const auto library = std::find_if(kLibraries.begin(), kLibraries.end(),
                                        [&](const auto& entry) { return include.name.starts_with(entry.first); });
      CHECK(library != kLibraries.end());
      if (library != kLibraries.end()) CHECK(library->second.contains(file.path));
    }
  }
}

TEST_CASE("a header that includes an external library is private to its folder") {
  std::set<std::string> with_library;
  const auto files = files_of(kFloors, {".h", ".cpp"});
  for (const SourceFile& file : files) {
    for (const Include& include : file.includes()) {
      if (file.header() && include.angled && !is_system(include.name)) with_library.insert(file.path);
    }
  }
  for (const SourceFile& file : files) {
    for (const Include& include : file.includes()) {
      if (!with_library.contains(include.name)) continue;
      INFO(file.path << " includes " << include.name);
      CHECK(file.floor() == include.name.substr(0, include.name.find('/')));
    }
  }
}

TEST_CASE("protocols do not include each other, and only the registry includes them") {
  const std::set<std::string> shared{"adapters/serial/serial_port.h", "adapters/serial/port_list.h"};
  for (const SourceFile& file : files_of({"adapters"}, {".h", ".cpp"})) {
    for (const Include& include : file.includes()) {
      const std::string protocol = protocol_of(include.name);
      if (protocol.empty() || protocol == protocol_of(file.path) || shared.contains(include.name)) continue;
      INFO(file.path << " includes " << include.name);
      CHECK(file.path == "adapters/registry.cpp");
    }
  }
}

TEST_CASE("only the demo includes the simulated devices") {
  for (const SourceFile& file : files_of(kFloors, {".h", ".cpp"})) {
    if (file.path.starts_with("src/demo/") || file.path == "src/cli/demo.cpp") continue;
    for (const Include& include : file.includes()) {
      INFO(file.path << " includes " << include.name);
      CHECK_FALSE(include.name.starts_with("src/demo/"));
    }
  }
}

TEST_CASE("core and the queue start no thread, except for the name lookup") {
  for (const SourceFile& file : files_of({"core", "offline_queue"}, {".h", ".cpp"})) {
    if (file.path == "core/host_lookup.cpp") continue;
    for (const Include& include : file.includes()) {
      INFO(file.path << " includes " << include.name);
      CHECK(include.name != "thread");
    }
  }
}
