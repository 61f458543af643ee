// What a device refuses is learned once, and known again after a restart.
#include <algorithm>
#include <atomic>
#include <fstream>

#include "adapters/runtime/notebook.h"
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
          const ModbusBytes pdu = refused ? ModbusBytes{0x83, 2} : telling_pdu(asked);
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
    Notebook notebook(folder.file("learned"));
    BusBench bench(toml_for(picky), ModbusTransport::tcp);
    bench.setup.plan.learned->keep = [&](const std::string& text) { notebook.write("bus", text); };
    bench.open();
    CHECK(all_there(bench.visit()));
    CHECK(all_there(bench.visit()));
  }
  const unsigned refusals = picky.refusals;
  CHECK(refusals > 0);
  const Notebook notebook(folder.file("learned"));
  BusBench bench(toml_for(picky), ModbusTransport::tcp);
  bench.setup.plan.learned->before = notebook.read("bus");
  CHECK_THAT(bench.setup.plan.learned->before, ContainsSubstring("refused holding 1 4"));
  bench.adapter = bench.setup.plan.make();
  bench.open();
  CHECK(all_there(bench.visit()));
  CHECK(picky.refusals == refusals);
}

TEST_CASE("a notebook keeps the last note of each bus, and makes do without its folder") {
  const TempDir folder;
  {
    Notebook notebook(folder.file("a/b"));
    CHECK(notebook.read("bus").empty());
    for (int i = 0; i < 100; ++i) notebook.write("bus", "note " + std::to_string(i));
    notebook.write("other", "something");
  }
  const Notebook again(folder.file("a/b"));
  CHECK(again.read("bus") == "note 99");
  CHECK(again.read("other") == "something");
  std::ofstream(folder.file("file")) << "in the way";
  Notebook nowhere(folder.file("file/below"));
  nowhere.write("bus", "lost");
  CHECK(nowhere.read("bus").empty());
}
