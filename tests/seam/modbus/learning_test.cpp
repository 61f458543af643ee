// What a device refuses is learned once, and known again after a restart.
#include <algorithm>
#include <atomic>
#include <fstream>

#include "adapters/runtime/learned_store.h"
#include "bus_bench.h"
#include "support/catch.h"
#include "support/modbus_server.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// Registers 0, 1, 4 and 5; 2 and 3 are refused.
class Picky {
 public:
  Picky()
      : server(ModbusFraming::tcp, [this](const ModbusAsked& asked) {
          const bool refused = asked.address() <= 2 && asked.address() + asked.count() > 2;
          if (refused) ++refusals;
          const ModbusBytes pdu = refused ? ModbusBytes{0x83, 2} : source_pdu(asked);
          return std::vector<ModbusStep>{{Duration{}, tcp_bytes(asked.transaction, asked.unit, pdu), false}};
        }) {}
  std::atomic<unsigned> refusals{0};
  ScriptedModbusServer server;
};

std::string toml_for(const Picky& picky) {
  std::string text = "bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(picky.server.port()) +
                     ", timeout = \"30s\" }\n[[device]]\n";
  for (const char* const address : {"0", "1", "4", "5"}) {
    text += "[[device.point]]\ntable = \"holding\"\nregister = " + std::string(address) + "\n";
  }
  return text;
}

bool all_there(const PollContext& context) {
  return context.readings().size() == 4 && std::all_of(context.readings().begin(), context.readings().end(),
                                                       [](const Reading& reading) { return bool(reading.value); });
}

}  // namespace

TEST_CASE("after a restart no request is refused that was refused before it") {
  Picky picky;
  const TempDir folder;
  {
    LearnedStore learned_store(folder.file("learned"));
    BusBench bench(toml_for(picky), ModbusTransport::tcp);
    bench.setup.plan.learned->keep = [&](const std::string& text) { learned_store.write("bus", text); };
    bench.open();
    CHECK(all_there(bench.poll()));
    CHECK(all_there(bench.poll()));
  }
  const unsigned refusals = picky.refusals;
  CHECK(refusals > 0);
  const LearnedStore learned_store(folder.file("learned"));
  BusBench bench(toml_for(picky), ModbusTransport::tcp);
  bench.setup.plan.learned->before = learned_store.read("bus");
  CHECK_THAT(bench.setup.plan.learned->before, ContainsSubstring("refused holding 1 4"));
  bench.adapter = bench.setup.plan.make();
  bench.open();
  CHECK(all_there(bench.poll()));
  CHECK(picky.refusals == refusals);
}

TEST_CASE("a learned store keeps the last text of each bus, and makes do without its folder") {
  const TempDir folder;
  {
    LearnedStore learned_store(folder.file("a/b"));
    CHECK(learned_store.read("bus").empty());
    for (int i = 0; i < 100; ++i) learned_store.write("bus", "text " + std::to_string(i));
    learned_store.write("other", "something");
  }
  const LearnedStore reread(folder.file("a/b"));
  CHECK(reread.read("bus") == "text 99");
  CHECK(reread.read("other") == "something");
  std::ofstream(folder.file("file")) << "in the way";
  LearnedStore nowhere(folder.file("file/below"));
  nowhere.write("bus", "lost");
  CHECK(nowhere.read("bus").empty());
}
