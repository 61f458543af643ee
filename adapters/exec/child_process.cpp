#include "adapters/exec/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

extern char** environ;

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

/// Variables of the service manager that children do not get: they must not notify it, nor read the credentials.
constexpr std::array<std::string_view, 8> kNotInherited{"NOTIFY_SOCKET",  "WATCHDOG_USEC",        "WATCHDOG_PID",
                                                        "LISTEN_FDS",     "LISTEN_PID",           "LISTEN_FDNAMES",
                                                        "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY"};
constexpr int kNotStarted = 127;
/// Where the child keeps the pipe that reports whether the program was started, out of the way of the first three.
constexpr int kReportFd = 3;
constexpr int kMostFdsClosedByHand = 65536;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void unblock(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

std::string_view name_of(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

std::vector<std::string> make_environment(const ChildCommand& command) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name = name_of(*entry);
    const bool hidden = std::find(kNotInherited.begin(), kNotInherited.end(), name) != kNotInherited.end();
    const bool replaced = std::any_of(command.environment.begin(), command.environment.end(),
                                      [&](const auto& over) { return over.first == name; });
    if (!hidden && !replaced) environment.emplace_back(*entry);
  }
  for (const auto& [name, value] : command.environment) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// What the child needs, all made before fork(): afterwards nothing may allocate.
struct Prepared {
  char* const* words = nullptr;
  char** environment = nullptr;
  const char* directory = nullptr;
  int input = -1;
  int output = -1;
  int error_output = -1;
  int report = -1;
  pid_t parent = -1;
};

void close_the_rest() {
  if (::syscall(SYS_close_range, kReportFd + 1, UINT_MAX, 0) == 0) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const int most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kMostFdsClosedByHand));
  for (int fd = kReportFd + 1; fd < most; ++fd) ::close(fd);
}

/// Runs in the child, between fork() and exec(): only async-signal-safe calls.
[[noreturn]] void become(const Prepared& prepared) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Above the first four, so that none of the dup2() below overwrites one that is still needed.
  const int report = ::fcntl(prepared.report, F_DUPFD, kReportFd + 1);
  const int output = ::fcntl(prepared.output, F_DUPFD, kReportFd + 1);
  const int error_output = ::fcntl(prepared.error_output, F_DUPFD, kReportFd + 1);
  const int input = ::fcntl(prepared.input, F_DUPFD, kReportFd + 1);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(error_output, STDERR_FILENO);
  ::dup2(report, kReportFd);
  ::fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  close_the_rest();
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool orphaned = ::getppid() != prepared.parent;
  if (!orphaned && (prepared.directory == nullptr || ::chdir(prepared.directory) == 0)) {
    environ = prepared.environment;
    ::execvp(prepared.words[0], prepared.words);
  }
  const int why = errno;
  [[maybe_unused]] const auto written = ::write(kReportFd, &why, sizeof why);
  ::_exit(kNotStarted);
}

/// The errno that kept the program from starting; 0: it runs.
int wait_for_report(int fd) {
  int why = 0;
  for (;;) {
    const ssize_t got = ::read(fd, &why, sizeof why);
    if (got < 0 && errno == EINTR) continue;
    return got == static_cast<ssize_t>(sizeof why) ? why : 0;
  }
}

Error not_started(const ChildCommand& command, int why) {
  std::string what = "cannot start " + command.words.front() + ": " + std::strerror(why);
  if (!command.directory.empty()) what += " (in directory " + command.directory + ")";
  return Error{Fault::adapter, what};
}

/// True: it has ended (and can be reaped).
bool has_ended(pid_t pid) {
  siginfo_t info{};
  const int result = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return (result == 0 && info.si_pid == pid) || (result != 0 && errno == ECHILD);
}

bool ends_within(pid_t pid, Duration limit) {
  constexpr Duration kLook = 2ms;
  const Steady until = std::chrono::steady_clock::now() + limit;
  while (!has_ended(pid)) {
    if (std::chrono::steady_clock::now() >= until) return false;
    ::poll(nullptr, 0, static_cast<int>(kLook / 1ms));
  }
  return true;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildCommand& command) {
  auto output = make_pipe();
  auto error_output = make_pipe();
  auto report = make_pipe();
  const UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!output || !error_output || !report || !input) return not_started(command, errno);
  auto words = command.words;
  auto environment = make_environment(command);
  auto word_pointers = pointers(words);
  auto environment_pointers = pointers(environment);
  const Prepared prepared{word_pointers.data(),
                          environment_pointers.data(),
                          command.directory.empty() ? nullptr : command.directory.c_str(),
                          input.get(),
                          output->write.get(),
                          error_output->write.get(),
                          report->write.get(),
                          ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return not_started(command, errno);
  if (pid == 0) become(prepared);
  ::setpgid(pid, pid);  // the child does it, too: either may be first
  report->write.reset();
  const int why = wait_for_report(report->read.get());
  if (why != 0) {
    ::waitpid(pid, nullptr, 0);
    return not_started(command, why);
  }
  unblock(output->read.get());
  unblock(error_output->read.get());
  return ChildProcess(pid, std::move(output->read), std::move(error_output->read));
}

ChildProcess::ChildProcess(pid_t pid, UniqueFd output, UniqueFd error_output)
    : pid_(pid), output_(std::move(output)), error_output_(std::move(error_output)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::move(other.output_)),
      error_output_(std::move(other.error_output_)) {}

ChildProcess::~ChildProcess() {
  end();
}

std::optional<std::string> ChildProcess::ended() const {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid_) {
    return std::nullopt;
  }
  if (info.si_code == CLD_EXITED) return "ended with status " + std::to_string(info.si_status);
  return "was killed by signal " + std::to_string(info.si_status) + " (" + ::strsignal(info.si_status) + ")";
}

void ChildProcess::ask_to_end() const noexcept {
  ::kill(-pid_, SIGTERM);
}

/// Its group is killed before it is reaped: until then its process id is not reused.
void ChildProcess::end() noexcept {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  // A process that hangs in a driver does not even die now; the kernel hands it to init when we end.
  if (ends_within(pid_, kGrace)) ::waitpid(pid_, nullptr, 0);
}

}  // namespace baudbridge
