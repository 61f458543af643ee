#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "adapters/exec/exec_adapter.h"
#include "adapters/runtime/runner.h"
#include "core/unique_fd.h"
#include "support/catch.h"
#include "support/fake_adapter.h"
#include "support/process.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

/// A bus with a program, run by the real runner.
struct Bench {
  /// words: the command; more: further keys of the bus.
  explicit Bench(const std::vector<std::string>& words, const std::string& more = "",
                 const std::vector<std::string>& devices = {"room"}) {
    std::string text = "command = [";
    for (const auto& word : words) text += "'''" + word + "''', ";
    text += "]\n" + more;
    std::vector<Problem> problems;
    const ConfigNode node = parse_toml(text, "plant.toml", problems);
    const ConfigNode none = parse_toml("", "plant.toml", problems);
    Settings bus(node, "bus", problems);
    plan.id = "script";
    plan.adapter = "exec";
    plan.devices.resize(devices.size());
    std::vector<DeviceSettings> settings;
    for (std::size_t i = 0; i < devices.size(); ++i) {
      plan.devices[i].id = devices[i];
      settings.push_back({Settings(none, "device", problems), {}, &plan.devices[i]});
    }
    parse_exec(bus, settings, plan);
    bus.finish();
    for (const auto& problem : problems) FAIL(problem.text());
  }
  void start() {
    runner = std::make_unique<Runner>(
        plan, [sink = collected](Intake intake) { sink->add(std::move(intake)); }, clock);
    runner->start();
  }
  [[nodiscard]] std::vector<Sample> samples() const { return collected->all<Sample>(); }

  Clock clock;
  std::shared_ptr<Collected> collected = std::make_shared<Collected>();
  BusPlan plan;
  std::unique_ptr<Runner> runner;
};

std::vector<std::string> shell(const std::string& script) {
  return {"/bin/sh", "-c", script};
}

std::vector<std::string> names(const Sample& sample) {
  std::vector<std::string> names;
  for (const auto& reading : sample.readings) names.push_back(reading.point);
  return names;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool wait_for_text(const std::string& path, const std::string& text) {
  return eventually([&] { return text_of(path).find(text) != std::string::npos; });
}

/// A place where a script waits until the test lets it continue.
class Barrier {
 public:
  explicit Barrier(const TempDir& dir) : path_(dir.file("barrier")) {
    REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
    fd_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));  // both ends, so that neither side waits to open it
    REQUIRE(fd_);
  }
  /// The shell command that waits for one pass().
  [[nodiscard]] std::string wait() const { return "read _ <" + path_; }
  void pass() { REQUIRE(::write(fd_.get(), "\n", 1) == 1); }

 private:
  std::string path_;
  UniqueFd fd_;
};

/// Gone, or a zombie that another process has to reap.
bool is_gone(const std::string& pid) {
  const std::string status = text_of("/proc/" + pid + "/stat");
  return status.empty() || status.find(") Z ") != std::string::npos;
}

std::set<std::string> open_descriptors() {
  std::set<std::string> descriptors;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    descriptors.insert(entry.path().filename());
  }
  return descriptors;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("what a program prints becomes records: points that are listed are shaped, others are taken as they are") {
  Bench bench(shell("echo reading flow 612; echo 'reading state \"warm\"'; echo fault pump broken; exec sleep 1000"));
  bench.plan.devices[0].points.resize(1);
  bench.plan.devices[0].points[0].id = "flow";
  bench.plan.devices[0].points[0].scale = 0.1;
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  const auto sample = bench.samples()[0];
  REQUIRE(sample.device == "room");
  REQUIRE(sample.readings.size() == 3);
  REQUIRE(sample.readings[0] == Reading{"flow", Value{61.2}});
  REQUIRE(sample.readings[1] == Reading{"state", Value{std::string{"warm"}}});
  REQUIRE(fault_word(sample.readings[2].value.error()) == "adapter");
  REQUIRE(bench.collected->all<DeviceState>()[0].online);
}

TEST_CASE("a blank line ends a record at once") {
  Bench bench(shell("printf 'reading a 1\\nreading b 2\\n\\nreading a 3\\n\\n'; exec sleep 1000"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(2));
  REQUIRE(names(bench.samples()[0]) == Words{"a", "b"});
  REQUIRE(names(bench.samples()[1]) == Words{"a"});
}

TEST_CASE("one program may speak for several devices") {
  Bench bench(shell("printf 'reading room/t 1\\nreading cellar/t 2\\n'; exec sleep 1000"), "",
              {"room", "cellar", "attic"});
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(2));
  std::set<std::string> devices;
  for (const auto& sample : bench.samples()) devices.insert(sample.device);
  REQUIRE(devices == std::set<std::string>{"room", "cellar"});
}

TEST_CASE("a program that reports that its device does not respond takes it offline, and a reading takes it online") {
  TempDir dir;
  Barrier barrier(dir);
  Bench bench(shell("echo reading t 1; " + barrier.wait() + "; echo 'fault * timeout: no answer'; " + barrier.wait() +
                    "; echo reading t 2; exec sleep 1000"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<DeviceState>(1));
  barrier.pass();
  REQUIRE(bench.collected->wait_for_count<DeviceState>(2));
  barrier.pass();
  REQUIRE(bench.collected->wait_for_count<DeviceState>(3));
  const auto states = bench.collected->all<DeviceState>();
  REQUIRE_FALSE(states[1].online);
  REQUIRE(states[1].why == "timeout");
  REQUIRE(states[2].online);
}

TEST_CASE("a program that ends is started again, and its devices are offline meanwhile") {
  TempDir dir;
  Bench bench(shell("echo run >> " + dir.file("runs") + "; echo reading t 1; exit 3"));
  bench.start();
  REQUIRE(eventually([&] { return text_of(dir.file("runs")).find("run\nrun\nrun\n") != std::string::npos; }));
  REQUIRE(bench.collected->wait_for<BusReport>([](const auto& reports) {
    return std::any_of(reports.begin(), reports.end(),
                       [](const auto& r) { return r.why == "/bin/sh ended with status 3"; });
  }));
  const auto states = bench.collected->all<DeviceState>();
  REQUIRE(states[0].online);
  REQUIRE_FALSE(states[1].online);
  REQUIRE(states[1].why == "adapter");
}

TEST_CASE("a program that is killed is reported with its signal") {
  Bench bench(shell("kill -SEGV $$"));
  bench.start();
  REQUIRE(bench.collected->wait_for<BusReport>([](const auto& reports) {
    return std::any_of(reports.begin(), reports.end(), [](const auto& r) {
      return r.why.find("killed by signal 11 (Segmentation fault)") != std::string::npos;
    });
  }));
}

TEST_CASE("a program that cannot be started is a state, reported with the reason") {
  TempDir dir;
  std::ofstream(dir.file("not-executable")) << "#!/bin/sh\n";
  Bench missing({dir.file("missing")});
  missing.start();
  Bench refused({dir.file("not-executable")});
  refused.start();
  Bench nowhere({"/bin/true"}, "directory = '/nonexistent'");
  nowhere.start();
  const auto why = [](Bench& bench, const std::string& text) {
    return bench.collected->wait_for<BusReport>([&](const auto& reports) {
      return std::any_of(reports.begin(), reports.end(),
                         [&](const auto& r) { return r.why.find(text) != std::string::npos; });
    });
  };
  REQUIRE(why(missing, "No such file or directory"));
  REQUIRE(why(refused, "Permission denied"));
  REQUIRE(why(nowhere, "(in directory /nonexistent)"));
}

TEST_CASE("a program that prints nothing for too long is restarted") {
  TempDir dir;
  Bench bench(shell("echo run >> " + dir.file("runs") + "; echo reading t 1; exec sleep 1000"), "silence = '200ms'");
  bench.start();
  REQUIRE(eventually([&] { return text_of(dir.file("runs")).find("run\nrun\n") != std::string::npos; }));
  REQUIRE(bench.collected->wait_for<DeviceState>(
      [](const auto& states) { return states.size() >= 2 && !states[1].online && states[1].why == "timeout"; }));
}

TEST_CASE("all processes of a program end with its bus, and none stays as a zombie") {
  TempDir dir;
  // The child ignores SIGTERM and has a child of its own.
  Bench bench(shell("trap '' TERM; sh -c 'echo $$ > " + dir.file("grandchild") +
                    "; while :; do sleep 0.05; done' & echo $$ > " + dir.file("child") +
                    "; echo reading t 1; wait; wait"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  REQUIRE(wait_for_text(dir.file("grandchild"), "\n"));
  const auto pid_in = [&](const std::string& name) {
    std::string pid = text_of(dir.file(name));
    pid.pop_back();
    return pid;
  };
  const std::string child = pid_in("child");
  const std::string grandchild = pid_in("grandchild");
  bench.runner->join();
  REQUIRE(eventually([&] { return is_gone(child) && is_gone(grandchild); }));
  REQUIRE(::waitpid(std::stoi(child), nullptr, WNOHANG) == -1);  // reaped already
}

TEST_CASE("a program that ends on SIGTERM has time to clean up") {
  TempDir dir;
  Bench bench(shell("trap 'echo clean > " + dir.file("trace") +
                    "; exit 0' TERM; echo reading t 1; while :; do sleep 0.02; done"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  bench.runner->join();
  REQUIRE(wait_for_text(dir.file("trace"), "clean"));
}

TEST_CASE("a program inherits nothing but its three streams and the configured environment") {
  TempDir dir;
  const UniqueFd leaky(::dup(STDERR_FILENO));  // as a library would leave one open
  REQUIRE(leaky);
  ::setenv("NOTIFY_SOCKET", "/run/unused", 1);
  Bench bench(shell("ls /proc/self/fd | wc -l > " + dir.file("fds") + "; env > " + dir.file("env") + "; pwd > " +
                    dir.file("pwd") + "; readlink /proc/self/fd/0 > " + dir.file("stdin") + "; exec sleep 1000"),
              "directory = '" + dir.path() + "'\n[environment]\nRATE = 'fast'\nHOME = '/elsewhere'");
  bench.start();
  REQUIRE(wait_for_text(dir.file("stdin"), "/dev/null"));
  ::unsetenv("NOTIFY_SOCKET");
  REQUIRE(text_of(dir.file("fds")) == "4\n");  // ls opens the folder itself
  const std::string environment = text_of(dir.file("env"));
  REQUIRE_THAT(environment, ContainsSubstring("BAUDBRIDGE_BUS=script\n"));
  REQUIRE_THAT(environment, ContainsSubstring("RATE=fast\n"));
  REQUIRE_THAT(environment, ContainsSubstring("HOME=/elsewhere\n"));
  REQUIRE_THAT(environment, ContainsSubstring("PATH="));
  REQUIRE(environment.find("NOTIFY_SOCKET") == std::string::npos);
  REQUIRE(text_of(dir.file("pwd")) == dir.path() + "\n");
}

TEST_CASE("a program that is started again and again leaves no descriptor open") {
  Bench bench(shell("exit 1"));
  auto adapter = bench.plan.make();
  const auto start_and_end = [&] {
    REQUIRE(adapter->open());
    PollContext context(bench.plan.devices[0], 0, {}, {std::chrono::steady_clock::now() + 30s, {}, -1});
    REQUIRE_FALSE(adapter->poll(context));
    adapter->close();
  };
  start_and_end();  // the log opens its own way to standard error once
  const auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) start_and_end();
  REQUIRE(open_descriptors() == before);
}

TEST_CASE("signals that are blocked or ignored here are not in a program") {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto pipe_before = ::signal(SIGPIPE, SIG_IGN);
  TempDir dir;
  Bench bench(shell("grep -E 'SigBlk|SigIgn' /proc/self/status > " + dir.file("signals") + "; exec sleep 1000"));
  auto adapter = bench.plan.make();
  REQUIRE(adapter->open());
  ::signal(SIGPIPE, pipe_before);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(wait_for_text(dir.file("signals"), "SigIgn"));
  const std::string signals = text_of(dir.file("signals"));
  REQUIRE_THAT(signals,
               ContainsSubstring("SigBlk:\t0000000000000000") && ContainsSubstring("SigIgn:\t0000000000000000"));
  adapter->close();
}

TEST_CASE("malformed lines are counted, never values, and reported in the advice") {
  Bench bench(shell("echo hello; echo reading t nan; echo reading t 1; exec sleep 1000"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  REQUIRE(bench.samples()[0].readings == std::vector<Reading>{{"t", Value{std::int64_t{1}}}});
  REQUIRE(bench.collected->wait_for<BusReport>([](const auto& reports) {
    return !reports.empty() &&
           reports.back().advice.find("2 lines that are not of the line protocol") != std::string::npos;
  }));
}

TEST_CASE("a program that floods us is read as fast as it can, and stops with its bus") {
  Bench bench(shell("i=0; while :; do i=$((i+1)); echo reading t $i; done"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(2000));
  bench.runner->join();
  std::int64_t before = 0;
  for (const auto& sample : bench.samples()) {
    if (!sample.readings[0].value) continue;
    const auto now = std::get<std::int64_t>(*sample.readings[0].value);
    REQUIRE(now == before + 1);
    before = now;
  }
}

TEST_CASE("a program that fills its error output is not held up by it") {
  Bench bench(
      shell("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo a long line of complaints about everything >&2; done; "
            "echo reading t 1; exec sleep 1000"));
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
}

TEST_CASE("a program that has ended while a child of it holds the pipe is noticed") {
  Bench bench(shell("echo reading t 1; sleep 1000 & exit 4"));
  bench.start();
  REQUIRE(bench.collected->wait_for<BusReport>([](const auto& reports) {
    return std::any_of(reports.begin(), reports.end(),
                       [](const auto& r) { return r.why == "/bin/sh ended with status 4"; });
  }));
}

TEST_CASE("the example in shell gives readings") {
  Bench bench({SOURCE_DIR "/examples/exec/disk.sh", "/", "1000"});
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  const auto sample = bench.samples()[0];
  REQUIRE(names(sample) == Words{"used", "free", "full"});
  for (const auto& reading : sample.readings) {
    REQUIRE(reading.value);
    REQUIRE(std::holds_alternative<std::int64_t>(*reading.value));
  }
}

TEST_CASE("the example in shell reports a missing file system as a device that does not respond") {
  Bench bench({SOURCE_DIR "/examples/exec/disk.sh", "/nonexistent", "1000"});
  bench.start();
  REQUIRE(bench.collected->wait_for_count<DeviceState>(1));
  REQUIRE_FALSE(bench.collected->all<DeviceState>()[0].online);
}

TEST_CASE("the example in Python gives readings") {
  Bench bench({"python3", SOURCE_DIR "/examples/exec/load.py", "1000"});
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  const auto sample = bench.samples()[0];
  REQUIRE(names(sample) == Words{"load_1min", "processes", "memory_available", "uptime", "busy"});
  for (const auto& reading : sample.readings) REQUIRE(reading.value);
}

TEST_CASE("reading once listens to a program until it has printed all configured points") {
  Bench bench(shell("echo reading a 1; sleep 0.1; echo reading b 2; exec sleep 1000"));
  bench.plan.devices[0].points.resize(2);
  bench.plan.devices[0].points[0].id = "a";
  bench.plan.devices[0].points[1].id = "b";
  const auto samples = read_once(bench.plan, bench.clock, 20s);
  REQUIRE(samples.size() == 1);
  REQUIRE(samples[0].readings == std::vector<Reading>{{"a", Value{std::int64_t{1}}}, {"b", Value{std::int64_t{2}}}});
}
