// Another program at the queue's file.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/unique_fd.h"
#include "seam/queue/queue_files.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// A process of its own, since SQLite's locks are a process's.
class Intruder {
 public:
  /// What it does with its end of the pipe.
  template <class Life>
  explicit Intruder(Life life) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    reports_.reset(ends[0]);
    UniqueFd write_end(ends[1]);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      life(write_end.get());
      ::_exit(0);
    }
  }
  ~Intruder() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;
  /// The next byte that it reports; 0: it has ended.
  char receive() {
    char byte = 0;
    return ::read(reports_.get(), &byte, 1) == 1 ? byte : '\0';
  }

 private:
  pid_t child_ = -1;
  UniqueFd reports_;
};

int try_sql(const std::string& path, const char* sql, sqlite3** kept = nullptr) {
  sqlite3* database = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  if (code == SQLITE_OK) code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (kept != nullptr) {
    *kept = database;
  } else {
    sqlite3_close(database);
  }
  return code;
}

void report(int pipe, char what) {
  if (::write(pipe, &what, 1) != 1) ::_exit(1);
}

}  // namespace

TEST_CASE("a program that opens the running queue's file gets no lock, and the gateway does not wait for it (22)") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  queue->accept(a_record(1, at(0s)), at(0s));
  REQUIRE(queue->persist(at(1s), false));
  Intruder intruder([path = place.store()](int pipe) {
    // Reads, writes, and takes the exclusive lock: again and again.
    for (;;) {
      for (const char* sql : {"BEGIN EXCLUSIVE", "SELECT count(*) FROM queue", "DELETE FROM queue"}) {
        const int code = try_sql(path, sql);
        report(pipe, code == SQLITE_BUSY || code == SQLITE_LOCKED ? 'b' : 'x');
      }
    }
  });
  double longest = 0;
  constexpr std::uint64_t kTransactions = 200;
  for (std::uint64_t n = 2; n <= kTransactions; ++n) {
    REQUIRE(intruder.receive() == 'b');
    queue->accept(a_record(n, at(n * 1s)), at(n * 1s));
    const auto begun = std::chrono::steady_clock::now();
    REQUIRE(queue->persist(at(n * 1s + 500ms), false));
    longest = std::max(longest, milliseconds_of(std::chrono::steady_clock::now() - begun));
  }
  CHECK(queue->counters().queued == kTransactions);
  CHECK(queue->counters().balanced());
  figure("22", kTransactions,
         " transactions during the attempts of another process, which never got the lock: the longest took ", longest,
         " ms, 0 failed, 0 lost");
}

TEST_CASE("a queue that another program has locked is not opened until that program has ended (22)") {
  QueuePlace place;
  fill(place, 10);
  {
    Intruder intruder([path = place.store()](int pipe) {
      sqlite3* database = nullptr;
      report(pipe, try_sql(path, "BEGIN EXCLUSIVE", &database) == SQLITE_OK ? 'l' : 'x');
      for (;;) ::pause();
    });
    REQUIRE(intruder.receive() == 'l');
    const auto begun = std::chrono::steady_clock::now();
    const auto opened = place.try_open(at(1s));
    figure("22", "a locked queue refused after ", milliseconds_of(std::chrono::steady_clock::now() - begun), " ms");
    REQUIRE_FALSE(opened);
    CHECK_THAT(opened.error().what, ContainsSubstring("another process holds"));
    CHECK(renamed_files(place.state.path()).empty());
  }
  CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))) == up_to(1, 10));
}
