// The contract of Transport, for the real one and for the fake of the other tests.
#include <memory>
#include <set>

#include "bridge/paho_transport.h"
#include "support/broker.h"
#include "support/catch.h"
#include "support/fake_transport.h"
#include "support/link_events.h"
#include "support/subscriber.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

BrokerConfig config_for(const std::vector<std::string>& urls) {
  BrokerConfig config;
  for (const auto& url : urls) config.servers.push_back(*parse_server_url(url));
  config.client_id = "contract";
  return config;
}

/// Mosquitto behind the real transport.
class RealRig {
 public:
  Transport& transport() { return *transport_; }
  std::optional<LinkEvent> next() { return events_.next(transport()); }
  template <class Kind>
  std::optional<Kind> next_of(Duration timeout = kTestTimeout) {
    return events_.next_of<Kind>(transport(), timeout);
  }
  void end_broker() { broker_.kill(); }
  void command(const std::string& payload) { publish(broker_.port(), "plant/boiler/set", payload, {"-q", "1"}); }

 private:
  Broker broker_;
  LinkEvents events_;
  std::unique_ptr<Transport> transport_ =
      paho_transport(config_for({broker_.url(), "mqtt://127.0.0.1:" + std::to_string(free_port())}),
                     gateway_purpose({"plant", PayloadFormat::json, false}), events_.sink());
};

/// The fake, with a broker that acknowledges everything.
class FakeRig {
 public:
  FakeRig() : transport_(events_.sink()) {
    transport_.acknowledges = true;
    transport_.answers = [](FakeTransport& fake) {
      if (fake.attempts.back().server == 0) {
        fake.accept();
      } else {
        fake.drop("connection refused");
      }
    };
  }
  Transport& transport() { return transport_; }
  std::optional<LinkEvent> next() { return events_.next(transport()); }
  template <class Kind>
  std::optional<Kind> next_of(Duration timeout = kTestTimeout) {
    return events_.next_of<Kind>(transport(), timeout);
  }
  void end_broker() { transport_.drop(); }
  void command(const std::string& payload) {
    Incoming incoming;
    incoming.topic = "plant/boiler/set";
    incoming.payload = payload;
    transport_.deliver(std::move(incoming));
  }

 private:
  LinkEvents events_;
  FakeTransport transport_;
};

Message message(const std::string& payload) {
  Message one;
  one.topic = "plant/boiler";
  one.payload = payload;
  return one;
}

constexpr std::size_t kGood = 0;
constexpr std::size_t kDead = 1;

}  // namespace

TEMPLATE_TEST_CASE("a connection is reported once, with its epoch", "", RealRig, FakeRig) {
  TestType rig;
  rig.transport().connect(7, kGood);
  const auto up = rig.template next_of<LinkUp>();
  REQUIRE(up);
  REQUIRE(up->epoch == 7);
  REQUIRE(up->receive_maximum > 0);
}

TEMPLATE_TEST_CASE("each message is reported as delivered, by its token", "", RealRig, FakeRig) {
  TestType rig;
  rig.transport().connect(1, kGood);
  REQUIRE(rig.template next_of<LinkUp>());
  std::set<Token> expected;
  for (Token token = 100; token < 110; ++token) {
    Message one = message("hello");
    one.qos = static_cast<int>(token % 3);
    REQUIRE(rig.transport().publish(1, token, one));
    expected.insert(token);
  }
  std::set<Token> reported;
  for (int i = 0; i < 10; ++i) {
    const auto delivered = rig.template next_of<Delivered>();
    REQUIRE(delivered);
    REQUIRE(delivered->epoch == 1);
    reported.insert(delivered->token);
  }
  REQUIRE(reported == expected);
}

TEMPLATE_TEST_CASE("nothing can be published without a connection", "", RealRig, FakeRig) {
  TestType rig;
  const auto sent = rig.transport().publish(1, 1, message("too early"));
  REQUIRE_FALSE(sent);
  REQUIRE(sent.error().kind == Fault::closed);
  rig.transport().connect(2, kGood);
  REQUIRE(rig.template next_of<LinkUp>());
  REQUIRE_FALSE(rig.transport().publish(1, 1, message("of an old epoch")));
  REQUIRE(rig.transport().publish(2, 1, message("now")));
}

TEMPLATE_TEST_CASE("an attempt that fails is reported, with a reason for users", "", RealRig, FakeRig) {
  TestType rig;
  rig.transport().connect(3, kDead);
  const auto down = rig.template next_of<LinkDown>();
  REQUIRE(down);
  REQUIRE(down->epoch == 3);
  REQUIRE_FALSE(down->was_up);
  REQUIRE_FALSE(down->reason.empty());
}

TEMPLATE_TEST_CASE("a lost connection is reported once", "", RealRig, FakeRig) {
  TestType rig;
  rig.transport().connect(4, kGood);
  REQUIRE(rig.template next_of<LinkUp>());
  rig.end_broker();
  const auto down = rig.template next_of<LinkDown>();
  REQUIRE(down);
  REQUIRE(down->epoch == 4);
  REQUIRE(down->was_up);
  REQUIRE_FALSE(rig.transport().publish(4, 1, message("too late")));
  rig.transport().connect(5, kDead);
  const auto next = rig.template next_of<LinkDown>();
  REQUIRE(next);
  REQUIRE(next->epoch == 5);
}

TEMPLATE_TEST_CASE("after disconnect no event of that epoch is reported", "", RealRig, FakeRig) {
  TestType rig;
  rig.transport().connect(1, kGood);
  rig.transport().disconnect(false);
  rig.transport().connect(2, kGood);
  bool up = false;
  while (!up) {
    const auto event = rig.next();
    REQUIRE(event);
    if (const auto* one = std::get_if<LinkUp>(&*event); one != nullptr && one->epoch == 2) up = true;
    // The first connection may have come up before it was ended; its end must not be reported.
    const auto* down = std::get_if<LinkDown>(&*event);
    REQUIRE(down == nullptr);
  }
}

TEMPLATE_TEST_CASE("commands arrive once the connection is up", "", RealRig, FakeRig) {
  TestType rig;
  rig.transport().connect(1, kGood);
  REQUIRE(rig.template next_of<LinkUp>());
  std::optional<Incoming> incoming;
  // The subscription follows the connection: the first command may come too early for it.
  REQUIRE(eventually([&] {
    rig.command(R"({"setpoint":21.5})");
    incoming = rig.template next_of<Incoming>(std::chrono::milliseconds(500));
    return incoming.has_value();
  }));
  REQUIRE(incoming->topic == "plant/boiler/set");
  REQUIRE(incoming->payload == R"({"setpoint":21.5})");
  REQUIRE_FALSE(incoming->retained);
}
