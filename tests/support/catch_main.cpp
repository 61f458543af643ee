// The main function of every test program.
#include <cstdio>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using ListenerBase = Catch::EventListenerBase;
#define WARN_OF_NO_TESTS(data) (data).warnings = Catch::WarnAbout::UnmatchedTestSpec
#define ALLOW_ONLY_SKIPPED(data) (data).allowZeroTests = true  // a file whose tests are all skipped has not failed
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
using ListenerBase = Catch::TestEventListenerBase;
#define WARN_OF_NO_TESTS(data) (data).warnings = Catch::WarnAbout::NoTests
#define ALLOW_ONLY_SKIPPED(data)
#endif

namespace {

bool without_assertion = false;

/// Names each test case on the standard error output as it begins: the report is written at the end only, which a
/// program that crashes or hangs does not reach. Finds ways through the sections of a test case that assert nothing;
/// Catch2's own warning also finds sections that only prepare what is checked behind them. (printf: Catch2 holds back
/// std::cerr.)
class Progress : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    ListenerBase::testCaseStarting(test);
    std::fprintf(stderr, "test: %s\n", test.name.c_str());
  }
  void sectionStarting(const Catch::SectionInfo& section) override {
    ListenerBase::sectionStarting(section);
    innermost_ = section.name;
    ++depth_;
  }
  void sectionEnded(const Catch::SectionStats& section) override {
    if (--depth_ == 0 && section.assertions.total() == 0) {
      std::fprintf(stderr, "no assertion: %s\n", innermost_.c_str());
      without_assertion = true;
    }
    ListenerBase::sectionEnded(section);
  }

 private:
  int depth_ = 0;  ///< the test case itself is the outermost section
  std::string innermost_;
};

CATCH_REGISTER_LISTENER(Progress)

}  // namespace

int main(int count, char* arguments[]) {
  Catch::Session session;
  const int status = session.applyCommandLine(count, arguments);
  if (status != 0) return status;
  WARN_OF_NO_TESTS(session.configData());
  ALLOW_ONLY_SKIPPED(session.configData());
  const int failed = session.run();
  return failed == 0 && without_assertion ? 1 : failed;
}
