// The log writes to the process's standard error, so these tests put a pipe, a socket or a file in its place.
#include "core/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "core/unique_fd.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using baudbridge::testing::TempDir;

namespace {

/// Standard error leads to `fd` while this lives.
class StandardError {
 public:
  explicit StandardError(int fd) : before_(::dup(STDERR_FILENO)) {
    ::dup2(fd, STDERR_FILENO);
    log::configure(log::Level::info);
  }
  ~StandardError() {
    ::dup2(before_.get(), STDERR_FILENO);
    ::unsetenv("JOURNAL_STREAM");
    log::configure(log::Level::info);
  }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;

 private:
  UniqueFd before_;
};

struct Channel {
  UniqueFd read;
  UniqueFd write;
};

Channel make_pipe() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> block{};
  for (ssize_t n = 0; (n = ::read(fd, block.data(), block.size())) > 0;)
    text.append(block.data(), static_cast<std::size_t>(n));
  return text;
}

/// Writes until the channel takes no more; how many bytes that were.
std::size_t fill(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  std::size_t filled = 0;
  while (::write(fd, "x", 1) == 1) ++filled;
  ::fcntl(fd, F_SETFL, flags);
  return filled;
}

void pretend_journal(int fd) {
  struct stat info {};
  REQUIRE(::fstat(fd, &info) == 0);
  ::setenv("JOURNAL_STREAM", (std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino)).c_str(), 1);
}

}  // namespace

TEST_CASE("a line has the time, the level and the text") {
  const Channel pipe = make_pipe();
  const StandardError standard_error(pipe.write.get());
  log::warn("rs485 is down");
  const std::regex line(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning: rs485 is down\n)");
  const std::string text = read_all(pipe.read.get());
  INFO(text);
  CHECK(std::regex_match(text, line));
}

TEST_CASE("lines below the level are not written") {
  const Channel pipe = make_pipe();
  const StandardError standard_error(pipe.write.get());
  log::debug("not this one");
  CHECK(read_all(pipe.read.get()).empty());
  log::configure(log::Level::debug);
  log::debug("this one");
  CHECK_THAT(read_all(pipe.read.get()), ContainsSubstring("debug: this one"));
}

TEST_CASE("for the journal a line begins with its priority instead") {
  const Channel pipe = make_pipe();
  pretend_journal(pipe.write.get());
  const StandardError standard_error(pipe.write.get());
  log::error("a");
  log::warn("b");
  log::info("c");
  log::configure(log::Level::debug);
  log::debug("d");
  CHECK(read_all(pipe.read.get()) == "<3>a\n<4>b\n<6>c\n<7>d\n");
}

TEST_CASE("a stream that is not the journal gets no priorities, whatever was inherited") {
  const Channel pipe = make_pipe();
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  const StandardError standard_error(pipe.write.get());
  log::info("a");
  CHECK_THAT(read_all(pipe.read.get()), !ContainsSubstring("<6>"));
}

TEST_CASE("text from a device or broker cannot forge a line or control the terminal") {
  const Channel pipe = make_pipe();
  pretend_journal(pipe.write.get());
  const StandardError standard_error(pipe.write.get());
  log::info(std::string("a\n<3>forged\r\x1b[2J\x7f\0\tz", 20));
  log::info("C1 \xc2\x9b[2J, not UTF-8 \xff\xc3, overlong \xc0\xaf, good \xe2\x82\xac \xc3\xa4");
  CHECK(read_all(pipe.read.get()) ==
        "<6>a\\n<3>forged\\x0d\\x1b[2J\\x7f\\x00\\x09z\n"
        "<6>C1 \\xc2\\x9b[2J, not UTF-8 \\xff\\xc3, overlong \\xc0\\xaf, good \xe2\x82\xac \xc3\xa4\n");
}

TEST_CASE("characters of every length are written as they are, and what only looks like one is not") {
  const Channel pipe = make_pipe();
  pretend_journal(pipe.write.get());
  const StandardError standard_error(pipe.write.get());
  log::info("\xc3\xa4\xe0\xa4\x85\xe2\x82\xac\xed\x95\x9c\xef\xbf\xbd\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
  log::info("\xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82");
  CHECK(read_all(pipe.read.get()) ==
        "<6>\xc3\xa4\xe0\xa4\x85\xe2\x82\xac\xed\x95\x9c\xef\xbf\xbd\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\n"
        "<6>\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xe2\\x82\n");
}

TEST_CASE("a very long line is cut, with a note") {
  const Channel pipe = make_pipe();
  const StandardError standard_error(pipe.write.get());
  log::info(std::string(100'000, 'a'));
  const std::string text = read_all(pipe.read.get());
  CHECK(text.size() < 4096);
  CHECK_THAT(text, ContainsSubstring("bytes more)\n"));
}

TEST_CASE("a pipe without a reader blocks no thread: lines are dropped, counted, and the count is logged later") {
  const Channel pipe = make_pipe();
  pretend_journal(pipe.write.get());
  const StandardError standard_error(pipe.write.get());
  const std::size_t filled = fill(pipe.write.get());
  for (int i = 0; i < 3; ++i) log::info("lost");
  CHECK(read_all(pipe.read.get()) == std::string(filled, 'x'));
  log::info("here again");
  CHECK(read_all(pipe.read.get()) ==
        "<4>3 log lines before this one were dropped: standard error was blocked; read it faster\n<6>here again\n");
  CHECK((::fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0);  // others share the descriptor as it was
}

TEST_CASE("a socket without a reader blocks no thread either") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  pretend_journal(theirs.get());
  const StandardError standard_error(theirs.get());
  const std::size_t filled = fill(theirs.get());
  log::info("lost");
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  CHECK(read_all(ours.get()) == std::string(filled, 'x'));
  log::info("here again");
  CHECK_THAT(read_all(ours.get()), ContainsSubstring("<6>here again\n"));
}

TEST_CASE("a log file is written where others write too, in turn") {
  const TempDir folder;
  const UniqueFd file(::open(folder.file("log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  pretend_journal(file.get());
  const StandardError standard_error(file.get());
  REQUIRE(::write(STDERR_FILENO, "one\n", 4) == 4);
  log::info("two");
  REQUIRE(::write(STDERR_FILENO, "three\n", 6) == 6);
  std::ifstream stream(folder.file("log"));
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  CHECK(text == "one\n<6>two\nthree\n");
}
