#include "adapters/modbus/unit_reader.h"

#include <algorithm>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kUnansweredInARow = 2;    ///< requests of one poll cycle, after which the rest is left out
constexpr Duration kRecheckInterval = 20ms;  ///< a late response is looked for this often
constexpr unsigned kRefusedInARow = 4;       ///< single points refused, nothing answered: it refuses everything now

// Exception codes, Modbus Application Protocol 1.1b3, section 7.
constexpr int kIllegalAddress = 2;
constexpr int kIllegalValue = 3;
constexpr int kDeviceFailure = 4;  ///< some devices use it for registers that they do not have
constexpr int kNoPath = 10;
constexpr int kTargetSilent = 11;

bool refusal(const Error& error) {
  return error.kind == Fault::exception &&
         (error.code == kIllegalAddress || error.code == kIllegalValue || error.code == kDeviceFailure);
}

/// Nothing came from the device itself.
bool unanswered(const Error& error) {
  return error.kind == Fault::timeout ||
         (error.kind == Fault::exception && (error.code == kNoPath || error.code == kTargetSilent));
}

/// Stopped, out of time, or the connection is of no use any more.
bool ends_poll(const Error& error) {
  return error.kind == Fault::closed || error.kind == Fault::unplugged || error.kind == Fault::protocol ||
         error.kind == Fault::io || error.kind == Fault::in_use;
}

}  // namespace

/// One poll cycle.
class UnitReader::Cycle {
 public:
  Cycle(UnitReader& reader, ModbusClient& client, PollContext& context)
      : reader_(reader),
        unit_(*reader.unit_),
        client_(client),
        context_(context),
        reported_(unit_.points.size(), false) {}

  Result<void> run() {
    const std::vector<std::size_t> left = without_missing();
    const std::span<const std::size_t> asked = reader_.history_.nothing_missing() ? context_.due() : std::span(left);
    if (asked.empty()) return {};
    if (reader_.silent_ && !probe(probe_point(asked))) return failed_ ? Result<void>{end_} : Result<void>{};
    const auto plan = reader_.plans_.plan_for(asked, reader_.knowledge_, reader_.link_.typical_response());
    const std::vector<ReadBlock>& blocks = *plan;
    blocks_ = blocks;
    if (!begin(blocks)) return failed_ ? Result<void>{end_} : Result<void>{};
    for (const ReadBlock& block : blocks) {
      if (over() || (!context_.readings().empty() && write_waits())) break;
      if (!reported(block)) read_unconfused(block);
    }
    rest();
    if (failed_ && end_.kind == Fault::closed) return {};
    if (failed_) return end_;
    if (silent_) return {};
    if (answered_) reader_.silent_ = false;
    if (!valued_) retry_refused_soon();
    report_missing();
    if (!split_ && !context_.rest_left()) grow(blocks);
    return {};
  }

 private:
  enum class Got { whole, parts, nothing };

  [[nodiscard]] bool over() const { return failed_ || silent_; }

  /// A write or a stop waits: the rest of the cycle is made after it.
  [[nodiscard]] bool write_waits() const { return wait_input(-1, steady_now(), context_.wake_fd()) == Waited::woken; }

  /// Until when a late response to another request could be taken for this block's.
  [[nodiscard]] Steady clear_at(const ReadBlock& block) const {
    return client_.clear_at(unit_.unit, read_request(block.table, block.address, block.count), false);
  }

  /// While a late response could be taken for the block's response: parts of it whose responses have other lengths. Empty if
  /// there are none, or none are needed.
  [[nodiscard]] std::vector<ReadBlock> unconfused_parts(const ReadBlock& block, Steady now) const {
    if (clear_at(block) <= now) return {};
    return parts_of(unit_, block, [&](const ReadBlock& part) { return clear_at(part) <= now; });
  }

  /// False: a late response has to be waited for first, and the device is polled again later. Nothing is requested then,
  /// as it would be requested twice.
  bool begin(const std::vector<ReadBlock>& blocks) {
    const auto waits = [&](const ReadBlock& block) {
      const Steady now = steady_now();
      return clear_at(block) > now && unconfused_parts(block, now).empty();
    };
    if (!context_.comes_again() || answered_ || std::none_of(blocks.begin(), blocks.end(), waits)) return true;
    if (auto listened = client_.listen(); !listened) {
      failed_ = true;
      end_ = listened.error();
      return false;
    }
    if (std::none_of(blocks.begin(), blocks.end(), waits)) return true;
    context_.leave_rest();
    context_.rest_until(steady_now() + kRecheckInterval);
    return false;
  }

  void read_unconfused(const ReadBlock& block) {
    const Steady now = steady_now();
    const std::vector<ReadBlock> parts = unconfused_parts(block, now);
    if (parts.empty() && context_.comes_again() && clear_at(block) > now) {
      context_.leave_rest();  // the others need not wait for a late response of this device
      return;
    }
    if (parts.empty()) read(block);
    for (const ReadBlock& part : parts) {
      if (!over()) read(part);
    }
  }

  /// The device is left alone for its pause, and while a late response is in the way of what was left.
  void rest() {
    const Steady now = steady_now();
    Steady until = unit_.pause > Duration::zero() ? reader_.link_.last_response() + unit_.pause : now;
    if (context_.rest_left()) until = std::max(until, now + kRecheckInterval);
    if (until > now) context_.rest_until(until);
  }

  [[nodiscard]] bool reported(const ReadBlock& block) const {
    return std::all_of(block.points.begin(), block.points.end(), [&](std::size_t point) { return reported_[point]; });
  }

  /// The due points but those that are known to be missing, if there are such.
  [[nodiscard]] std::vector<std::size_t> without_missing() const {
    std::vector<std::size_t> asked;
    if (reader_.history_.nothing_missing()) return asked;  // nothing is left out
    asked.reserve(context_.due().size());
    const Steady now = steady_now();
    for (const std::size_t point : context_.due()) {
      if (reader_.history_.is_requested(point, now)) asked.push_back(point);
    }
    // A device with only missing points is polled with one of them, to see whether it responds.
    if (asked.empty() && !context_.due().empty()) asked.push_back(context_.due().front());
    return asked;
  }

  void report_missing() {
    if (reader_.history_.nothing_missing()) return;
    for (const std::size_t point : context_.due()) {
      const Error* missing = reader_.history_.missing(point);
      if (!reported_[point] && missing != nullptr) fault({.points = {point}}, *missing);
    }
  }

  /// The point to probe a silent device with: one that was answered before; as long as there is none, each in turn.
  std::size_t probe_point(std::span<const std::size_t> asked) {
    const auto known = std::find_if(asked.begin(), asked.end(),
                                    [&](std::size_t point) { return reader_.history_.given(unit_.points[point]); });
    return known != asked.end() ? *known : asked[reader_.probes_++ % asked.size()];
  }

  /// A single point is read first, in case the device does not respond to long reads.
  /// False as begin().
  bool probe(std::size_t point) {
    const std::size_t only[] = {point};
    const std::vector<ReadBlock> least = plan_reads(unit_, only, reader_.knowledge_, WireCost{});
    if (!begin(least)) return false;
    read(least.front());
    return true;
  }

  Result<Response> ask(const ReadBlock& block) {
    UnitLink::Limits limits{context_.deadline(), context_.stop_token(), context_.wake_fd(), unit_.retries};
    // A probe costs the others as little as possible.
    if ((reader_.silent_ || witness_read_) && !answered_) limits.retries = 0;
    auto response = reader_.link_.transact(client_, read_request(block.table, block.address, block.count), limits);
    if (response) {
      answered_ = true;
      unanswered_ = 0;
      reader_.knowledge_.answered(block.table, block.count);
      context_.answered_at(response->at);
    } else if (ends_poll(response.error())) {
      failed_ = true;
      end_ = response.error();
    } else if (!unanswered(response.error())) {
      answered_ = true;
      unanswered_ = 0;
    }
    return response;
  }

  /// Reads a block, in parts if it is refused whole.
  Got read(const ReadBlock& block) {
    if (unanswered_ >= kUnansweredInARow || refused_ >= kRefusedInARow) {
      fault(block, last_error_);
      return Got::nothing;
    }
    const auto response = ask(block);
    if (response) {
      values(block, response->pdu);
      return Got::whole;
    }
    if (over()) return Got::nothing;
    last_error_ = response.error();
    const auto [first, second] = split_block(unit_, block);
    if (unanswered(last_error_) && !answered_ && !responds_to_another(block)) {
      if (over()) return Got::nothing;
      silent_ = true;
      reader_.silent_ = true;
      context_.report_silence(last_error_);
      return Got::nothing;
    }
    if (second.count == 0 || !worth_splitting(block, last_error_)) {
      if (second.count == 0 && refusal(last_error_)) note_missing(block);
      if (unanswered(last_error_)) note_unanswered(block, second.count == 0);
      fault(block, last_error_);
      return Got::nothing;
    }
    split_ = true;
    const Got low = read(first);
    const Got high = over() ? Got::nothing : read(second);
    if (low == Got::whole && high == Got::whole) conclude(block, first, second);
    return Got::parts;
  }

  /// Without any response in this cycle: whether the device responds to a read that was answered before, and only this
  /// read is unanswered. Costs a device that becomes silent one request more, once.
  bool responds_to_another(const ReadBlock& block) {
    if (reader_.silent_ || witness_read_) return false;
    const Error error = last_error_;
    const auto is_witness = [&](const ReadBlock& other) {
      const bool same = other.table == block.table && other.address <= block.address && block.end() <= other.end();
      return !same && reader_.history_.answered_before(other) && clear_at(other) <= steady_now();
    };
    const auto witness = std::find_if(blocks_.begin(), blocks_.end(), is_witness);
    if (witness == blocks_.end()) return false;
    witness_read_ = true;
    read(*witness);
    last_error_ = error;
    return answered_;
  }

  /// Refused reads are made in parts; unanswered and damaged ones only while it is not known that they can work.
  [[nodiscard]] bool worth_splitting(const ReadBlock& block, const Error& error) const {
    if (refusal(error)) return true;
    if (error.kind != Fault::timeout && error.kind != Fault::checksum && error.kind != Fault::malformed) return false;
    return !reader_.history_.answered_before(block);
  }

  /// Both halves were answered, the whole was not: why?
  void conclude(const ReadBlock& block, const ReadBlock& first, const ReadBlock& second) {
    if (ask(block) || failed_) return;  // it does respond: the refusal had another reason
    Knowledge& knowledge = reader_.knowledge_;
    const ReadBlock crossing = crossing_of(unit_, first, second);
    const Steady now = steady_now();
    if (crossing.count < block.count) {
      if (const auto response = ask(crossing)) {
        if (block.count > knowledge.longest_answered(block.table)) {
          knowledge.too_long(block.table, block.count, now);
        } else {
          knowledge.refused(block.table, block.address, static_cast<std::uint16_t>(block.end() - 1), now);
        }
        return;
      }
      if (failed_) return;
    }
    knowledge.refused(block.table, static_cast<std::uint16_t>(first.end() - 1), second.address, now);
  }

  void note_missing(const ReadBlock& block) {
    const Steady now = steady_now();
    if (!valued_) ++refused_;
    for (const std::size_t point : block.points) {
      reader_.history_.refused(point, unit_.points[point], last_error_, now);
      refused_points_.push_back(point);
    }
    reader_.knowledge_.refused(block.table, block.address, static_cast<std::uint16_t>(block.end() - 1), now);
  }

  void note_unanswered(const ReadBlock& block, bool alone) {
    ++unanswered_;
    if (!alone) return;
    for (const std::size_t point : block.points)
      reader_.history_.unanswered(point, unit_.points[point], last_error_, steady_now());
  }

  /// If the device answered no point at all, its refusals are not about the registers.
  void retry_refused_soon() {
    for (const std::size_t point : refused_points_) reader_.history_.retry_at(point, steady_now());
  }

  void values(const ReadBlock& block, std::span<const std::uint8_t> pdu) {
    valued_ = true;
    refused_ = 0;
    for (const std::size_t point : reader_.history_.answered(block)) not_missing(unit_.points[point]);
    if (holds_bits(block.table)) {
      const std::vector<bool> bits = response_bits(pdu, block.count);
      for (const std::size_t point : block.points) {
        if (take(point)) context_.report(point, bits[unit_.points[point].address - block.address]);
      }
      return;
    }
    const std::vector<std::uint16_t> registers = response_registers(pdu);
    for (const std::size_t point : block.points) {
      if (!take(point)) continue;
      const RegisterPoint& wanted = unit_.points[point];
      const auto own = std::span(registers).subspan(wanted.address - block.address, wanted.size());
      const auto decoded = decode_registers(wanted.format, own);
      if (!decoded) {
        context_.report_fault(point, decoded.error());
      } else if (wanted.format.type == RegisterType::string) {
        context_.report(point, decoded->value);
      } else {
        context_.report(point, decoded->value, decoded->bits);
      }
    }
  }

  void not_missing(const RegisterPoint& back) {
    reader_.knowledge_.not_refused(back.table, back.address, static_cast<std::uint16_t>(back.end() - 1));
  }

  void fault(const ReadBlock& block, const Error& error) {
    for (const std::size_t point : block.points) {
      if (take(point)) context_.report_fault(point, error);
    }
  }

  /// True for the first time that a point is reported in this cycle.
  bool take(std::size_t point) {
    if (reported_[point]) return false;
    reported_[point] = true;
    return true;
  }

  /// Everything was answered: where a length was refused, the next cycle tries longer reads.
  void grow(const std::vector<ReadBlock>& blocks) {
    if (context_.readings().empty()) return;
    for (const Table table : {Table::coil, Table::discrete, Table::input, Table::holding}) {
      const auto in_table = [&](const ReadBlock& block) { return block.table == table; };
      if (std::any_of(blocks.begin(), blocks.end(), in_table)) reader_.knowledge_.try_longer(table);
    }
  }

  UnitReader& reader_;
  const UnitConfig& unit_;
  ModbusClient& client_;
  PollContext& context_;
  std::span<const ReadBlock> blocks_;  ///< of this cycle
  std::vector<bool> reported_;
  std::vector<std::size_t> refused_points_;  ///< in this cycle
  bool witness_read_ = false;                ///< see responds_to_another()
  Error last_error_;
  Error end_;
  unsigned unanswered_ = 0;  ///< requests in a row that could not be made in parts
  unsigned refused_ = 0;     ///< points in a row, before there is any value
  bool answered_ = false;    ///< something came, be it a refusal
  bool valued_ = false;
  bool split_ = false;
  bool silent_ = false;
  bool failed_ = false;  ///< stopped, or the connection is gone
};

Result<void> UnitReader::poll(ModbusClient& client, PollContext& context) {
  if (is_broadcast(*config_, *unit_)) return {};
  knowledge_.forget_old(steady_now());
  return Cycle(*this, client, context).run();
}

}  // namespace baudbridge
