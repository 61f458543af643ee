#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/poll_until.h"

extern char** environ;

namespace baudbridge::testing {
namespace {

constexpr int kPollMs = 3;
// Below Linux's range for outgoing connections (32768 to 60999), so that none of those takes the port meanwhile.
constexpr int kFirstPort = 20000;
constexpr int kLastPort = 31999;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

bool is_free(int port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// Claims a port among the tests: an abstract Unix socket of that name can be bound once on a machine.
UniqueFd claim(int port) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string name = "baudbridge-test-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // a leading NUL makes it abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
  return socket;
}

std::string search_path() {
  const char* path = std::getenv("PATH");
  return std::string(path == nullptr ? "/usr/bin:/bin" : path) + ":/usr/local/sbin:/usr/sbin:/sbin";
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::istringstream folders(search_path());
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = folder + "/" + name;
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw std::runtime_error("there is no program " + name + "; scripts/test installs what the tests need");
}

std::vector<std::string> environment_of(const ProcessOptions& options) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  variables["PATH"] = search_path();
  // All connections of tests stay on this machine.
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}) {
    variables.erase(name);
  }
  for (const std::string& name : options.unset) variables.erase(name);
  for (const auto& [name, value] : options.environment) variables[name] = value;
  std::vector<std::string> result;
  for (const auto& [name, value] : variables) {
    std::string entry = name;
    result.push_back(entry.append("=").append(value));
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

UniqueFd memory_file(const char* name) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) fail("memfd_create");
  ::fcntl(file.get(), F_SETFL, O_APPEND);
  return file;
}

std::string content(const UniqueFd& file) {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::pread(file.get(), buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

/// All that the child needs, made before the fork: afterwards only calls that are safe in a copy of one thread.
struct Launch {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string working_directory;
  int input = -1;
  int output = -1;
  int error_output = -1;
  int failure_pipe = -1;
  pid_t parent = ::getpid();
};

[[noreturn]] void become(const Launch& launch, char* const* arguments, char* const* environment) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const bool ready = (launch.working_directory.empty() || ::chdir(launch.working_directory.c_str()) == 0) &&
                     ::dup2(launch.input, 0) == 0 && ::dup2(launch.output, 1) == 1 &&
                     ::dup2(launch.error_output, 2) == 2;
  if (ready) ::execve(launch.program.c_str(), arguments, environment);
  const int why = errno;
  [[maybe_unused]] const ssize_t written = ::write(launch.failure_pipe, &why, sizeof why);
  ::_exit(127);
}

int exit_status(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/// Without reaping: until the destructor does so, this process id and its group are not reused.
std::optional<int> peek_exit(pid_t pid) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return 127;
  if (info.si_pid == 0) return std::nullopt;
  return exit_status(info);
}

}  // namespace

bool eventually(const std::function<bool()>& predicate, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= deadline) return predicate();
    ::poll(nullptr, 0, kPollMs);
  }
  return true;
}

std::uint16_t free_port() {
  static std::vector<UniqueFd> claims;
  std::random_device random;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = kFirstPort + static_cast<int>(random() % (kLastPort - kFirstPort + 1));
    UniqueFd claimed = claim(port);
    if (!claimed || !is_free(port)) continue;
    claims.push_back(std::move(claimed));
    return static_cast<std::uint16_t>(port);
  }
  throw std::runtime_error("no free TCP port on 127.0.0.1");
}

Process::Process(std::vector<std::string> command, ProcessOptions options)
    : output_(memory_file("output")), error_output_(memory_file("error-output")) {
  int failure[2];
  int input[2];
  if (::pipe2(failure, O_CLOEXEC) != 0) fail("pipe");
  UniqueFd failure_read(failure[0]);
  UniqueFd failure_write(failure[1]);
  UniqueFd input_read;
  if (options.input_stays_open) {
    if (::pipe2(input, O_CLOEXEC) != 0) fail("pipe");
    input_read.reset(input[0]);
    input_.reset(input[1]);
  } else {
    input_read = memory_file("input");
    [[maybe_unused]] const ssize_t written = ::write(input_read.get(), options.input.data(), options.input.size());
    ::lseek(input_read.get(), 0, SEEK_SET);
  }

  Launch launch{find_program(command.at(0)), std::move(command), environment_of(options),
                options.working_directory,   input_read.get(),   output_.get(),
                error_output_.get(),         failure_write.get()};
  const std::vector<char*> arguments = pointers(launch.arguments);
  const std::vector<char*> environment = pointers(launch.environment);
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(launch, arguments.data(), environment.data());
  ::setpgid(pid_, pid_);
  failure_write.reset();
  int why = 0;
  if (::read(failure_read.get(), &why, sizeof why) == static_cast<ssize_t>(sizeof why)) {
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    throw std::runtime_error("cannot start " + launch.program + ": " + std::strerror(why));
  }
  if (options.input_stays_open) write_input(options.input);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::move(other.output_)),
      error_output_(std::move(other.error_output_)),
      input_(std::move(other.input_)) {}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Process::running() const {
  return !peek_exit(pid_).has_value();
}

std::optional<int> Process::wait_for_exit(Duration timeout) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));  // glibc 2.36 has no C++ name for it
  pollfd ended{process.get(), POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (auto status = peek_exit(pid_)) return status;
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    (void)poll_until({&ended, 1}, deadline);
  }
}

void Process::kill(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

std::optional<int> Process::stop(int signal, Duration timeout) {
  kill(signal);
  return wait_for_exit(timeout);
}

std::string Process::output() const {
  return content(output_);
}
std::string Process::error_output() const {
  return content(error_output_);
}

std::vector<std::string> Process::output_lines() const {
  std::vector<std::string> lines;
  std::istringstream text(output());
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

bool Process::wait_for_text(const UniqueFd& file, const std::string& text, Duration timeout) {
  bool found = false;
  eventually(
      [&] {
        const bool ended = !running();
        found = content(file).find(text) != std::string::npos;
        return found || ended;
      },
      timeout);
  return found;
}

bool Process::wait_for_output(const std::string& text, Duration timeout) {
  return wait_for_text(output_, text, timeout);
}

bool Process::wait_for_error_output(const std::string& text, Duration timeout) {
  return wait_for_text(error_output_, text, timeout);
}

void Process::write_input(const std::string& text) {
  // A reader that is gone shall be an error here, not the end of the test program.
  sigset_t pipe_signal;
  sigset_t before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(input_.get(), text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  const timespec at_once{};
  ::sigtimedwait(&pipe_signal, nullptr, &at_once);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Finished run_program(std::vector<std::string> command, ProcessOptions options, Duration timeout) {
  Process process(std::move(command), std::move(options));
  const std::optional<int> status = process.wait_for_exit(timeout);
  return Finished{status.value_or(-1), process.output(), process.error_output()};
}

}  // namespace baudbridge::testing
