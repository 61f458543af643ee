// The main function of every test program.
#include <cstdio>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using ListenerBase = Catch::EventListenerBase;
#define NOTHING_RAN UnmatchedTestSpec
#define ALLOW_ONLY_SKIPPED(data) (data).allowZeroTests = true  // a file whose tests are all skipped has not failed
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
using ListenerBase = Catch::TestEventListenerBase;
#define NOTHING_RAN NoTests
#define ALLOW_ONLY_SKIPPED(data)
#endif

namespace {

/// Names each test case on the standard error output as it begins, and whatever made no assertion: the report is
/// written at the end only, which a program that crashes or hangs does not reach. (printf: Catch2 holds back
/// std::cerr.)
class Progress : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    ListenerBase::testCaseStarting(test);
    std::fprintf(stderr, "test: %s\n", test.name.c_str());
  }
  void sectionEnded(const Catch::SectionStats& section) override {
    if (section.missingAssertions) std::fprintf(stderr, "no assertion: %s\n", section.sectionInfo.name.c_str());
    ListenerBase::sectionEnded(section);
  }
};

CATCH_REGISTER_LISTENER(Progress)

}  // namespace

int main(int count, char* arguments[]) {
  Catch::Session session;
  const int status = session.applyCommandLine(count, arguments);
  if (status != 0) return status;
  ALLOW_ONLY_SKIPPED(session.configData());
  // Catch2 2 takes only one of the two from its command line.
  session.configData().warnings =
      static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions | Catch::WarnAbout::NOTHING_RAN);
  return session.run();
}
