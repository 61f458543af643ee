// The system clock is set back an hour: every wait by it then lasts an hour longer than it should. Here it does,
// because this program's own functions stand in for the C library's; they count whose waits do.
#include <pthread.h>
#include <semaphore.h>

#include <array>
#include <atomic>
#include <ctime>
#include <string_view>

#include "support/bridge/road.h"
#include "support/broker.h"

using namespace baudbridge;
using namespace baudbridge::testing;

#ifndef __SANITIZE_THREAD__  // which has functions of its own in that place

namespace {

std::atomic<std::time_t> set_back_s{0};
std::atomic<int> lengthened{0};             ///< waits of our own threads
std::atomic<int> lengthened_in_library{0};  ///< waits of Paho's threads (eclipse-paho/paho.mqtt.c #920)

bool is_thread_of_library() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return std::string_view(name.data()).starts_with("MQTTAsync");
}

timespec as_if_set_back(const timespec& deadline) {
  if (set_back_s > 0) ++(is_thread_of_library() ? lengthened_in_library : lengthened);
  return {deadline.tv_sec + set_back_s, deadline.tv_nsec};
}

}  // namespace

extern "C" int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* deadline) {
  const timespec later = as_if_set_back(*deadline);
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &later);
}
extern "C" int sem_timedwait(sem_t* semaphore, const timespec* deadline) {
  const timespec later = as_if_set_back(*deadline);
  return sem_clockwait(semaphore, CLOCK_REALTIME, &later);
}

#endif

TEST_CASE("a clock that is set back an hour delays neither publishing nor reconnecting nor the stop (41)") {
#ifdef __SANITIZE_THREAD__
  SKIP_TEST("the thread sanitizer has functions of its own in the place of these");
#else
  Broker broker;
  Road road({broker.url()});
  road.samples(10);
  REQUIRE(road.all_acknowledged());
  set_back_s = 3600;
  road.samples(10);
  REQUIRE(road.all_acknowledged());
  broker.stop();
  road.samples(10);
  REQUIRE(eventually([&] { return !road.link().connected; }));
  broker.start();
  const auto back = std::chrono::steady_clock::now();
  REQUIRE(eventually([&] { return road.link().connected; }));
  const double reconnected = seconds_of(std::chrono::steady_clock::now() - back);
  REQUIRE(road.all_acknowledged());
  check_nothing_but_acknowledged(road.counters());
  const auto begun = std::chrono::steady_clock::now();
  road.end();
  const double stopped = seconds_of(std::chrono::steady_clock::now() - begun);
  CHECK(lengthened == 0);
  CHECK(lengthened_in_library > 0);
  set_back_s = 0;
  figure("41", lengthened, " waits of ours and ", lengthened_in_library, " of the library an hour longer: connected ",
         reconnected, " s after the broker was back, stopped in ", stopped, " s, 30 records, 0 lost");
#endif
}
