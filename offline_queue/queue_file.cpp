#include "offline_queue/queue_file.h"

#include <fcntl.h>

#include <random>
#include <utility>

#include "core/unique_fd.h"
#include "offline_queue/admin.h"
#include "offline_queue/files.h"
#include "offline_queue/queue_parts.h"
#include "offline_queue/record_codec.h"
#include "offline_queue/recovery.h"
#include "offline_queue/salvage.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRows = 1000;
constexpr std::size_t kReadBytes = 1 << 20;
constexpr std::size_t kMaxProblems = 100;

QueueOptions options_for(const QueuePlaces& places) {
  QueueOptions options;
  options.store_path = places.store;
  options.tail_path = places.tail;
  // No bounds: work on a queue by hand must not drop records.
  options.config.max_size_bytes = 0;
  options.config.max_age = std::chrono::hours(24 * 366 * 100);
  return options;
}

/// SQLite locks bytes of the file itself (sqlite.org/src/file/src/os.h: PENDING_BYTE and the 511 after it).
Result<void> not_held(const std::string& path) {
  constexpr off_t kPendingByte = 0x40000000;
  constexpr off_t kLockBytes = 512;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};  // opening it reports the error
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kPendingByte;
  lock.l_len = kLockBytes;
  if (::fcntl(fd.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return {};
  return Error{Fault::closed, path + ": process " + std::to_string(lock.l_pid) +
                                  " holds the queue; ask the running service through its socket, or stop it first"};
}

Error missing(const std::string& path) {
  return Error{Fault::io,
               path + ": no such file; name the queue's file with --file DB, or its configuration with -c FILE"};
}

class Verifier {
 public:
  Verifier(VerifyReport& report, const Progress& progress) : report_(report), progress_(progress) {}

  void problem(std::string what) {
    if (report_.problems.size() < kMaxProblems) report_.problems.push_back(std::move(what));
  }
  /// False: the caller stops it.
  bool check(Seq seq, std::string_view body, std::uint32_t crc) {
    if (record_checksum(seq, body) == crc && decode_record(seq, body)) {
      ++report_.records;
    } else {
      ++report_.damaged;
      problem("record " + std::to_string(seq) + ": its checksum is wrong");
    }
    return !progress_ || (report_.records + report_.damaged) % kRows != 0 || progress_(report_.records);
  }
  /// False: stopped by the caller, or the table cannot be read.
  bool check_table(Store& store, bool dead_letters, std::uint64_t expected) {
    Seq after = 0;
    std::uint64_t count = 0;
    for (;;) {
      const auto rows =
          dead_letters ? store.read_dead_letters(after, kRows) : store.read(after, kMaxSeq, kRows, kReadBytes);
      if (!rows) {
        problem("after record " + std::to_string(after) + ": " + rows.error().what);
        return false;
      }
      if (rows->empty()) break;
      for (const auto& row : *rows) {
        after = row.seq;
        ++count;
        if (!check(row.seq, row.body, row.crc)) return false;
      }
    }
    if (count == expected) return true;
    problem(std::string(dead_letters ? "dead letters: " : "queued: ") + std::to_string(count) +
            " records, but the counters say " + std::to_string(expected));
    return true;
  }

 private:
  VerifyReport& report_;
  const Progress& progress_;
};

StoreState state_of_fresh(const std::string& damaged) {
  StoreState state;
  if (auto old = Store::open_read_only(damaged)) {
    const StoreState& known = (*old)->state();
    state.queue_id = known.queue_id;
    state.last_seq = known.last_seq;
    state.reserved_through = known.reserved_through;
    state.moved_through = known.moved_through;
    state.salvage.not_before = known.lowest_seq;
    return state;
  }
  std::random_device random;
  for (auto& byte : state.queue_id) byte = static_cast<std::uint8_t>(random());
  return state;
}

Result<void> write_found(Store& store, const std::vector<Found>& found, SalvageReport& report) {
  if (auto begun = store.begin(); !begun) return begun;
  StoreState next = store.state();
  for (const auto& one : found) {
    const auto twin = one.dead_letter ? store.contains(one.record.seq) : store.contains_dead_letter(one.record.seq);
    if (!twin) return twin.error();
    if (*twin) continue;
    const auto inserted = one.dead_letter ? store.insert_dead_letter(one.record)
                                          : store.insert(one.record.seq, one.record.body, one.record.crc);
    if (!inserted) return inserted.error();
    if (!*inserted) continue;
    ++next.accepted;
    ++(one.dead_letter ? next.dead_lettered : next.queued);
    ++(one.dead_letter ? report.dead_lettered : report.records);
    if (one.dead_letter) next.dead_letter_bytes += one.record.body.size();
    next.last_seq = std::max(next.last_seq, one.record.seq);
    next.reserved_through = std::max(next.reserved_through, next.last_seq);
  }
  if (auto done = store.commit(next); !done) return done;
  return store.checkpoint_if_due();
}

}  // namespace

QueuePlaces queue_places(const QueueConfig& config) {
  const QueueOptions options = queue_options(config);
  return {options.store_path, options.tail_path};
}

Result<std::unique_ptr<QueueView>> QueueView::open(const QueuePlaces& places) {
  if (kind_of(places.store) == Kind::nothing) return missing(places.store);
  if (auto free = not_held(places.store); !free) return free.error();
  auto parts = std::make_unique<QueueParts>(options_for(places), BootId{});
  if (auto opened = open_read_only(*parts); !opened) return opened.error();
  return std::make_unique<QueueView>(std::move(parts));
}

QueueView::QueueView(std::unique_ptr<QueueParts> parts) : parts_(std::move(parts)) {}

QueueView::~QueueView() = default;

QueueReport QueueView::report() const {
  return report_queue(*parts_);
}

Result<QueuePage> QueueView::list(const PageMark& from, std::size_t limit) const {
  return list_records(*parts_, from, limit);
}

Result<VerifyReport> verify_queue(const QueuePlaces& places, const Progress& progress) {
  if (kind_of(places.store) == Kind::nothing) return missing(places.store);
  if (auto free = not_held(places.store); !free) return free.error();
  VerifyReport report;
  Verifier verifier(report, progress);
  auto store = Store::open_read_only(places.store);
  if (!store) {
    if (store.error().kind != Fault::protocol) return in_context(places.store, store.error());
    verifier.problem(store.error().what);
    return report;
  }
  const auto structure = (*store)->check_structure();
  if (!structure) verifier.problem("structure: " + structure.error().what);
  if (structure) {
    for (const auto& line : *structure) verifier.problem("structure: " + line);
  }
  const StoreState& state = (*store)->state();
  if (!state.balanced()) verifier.problem("the record counters do not balance");
  if (!verifier.check_table(**store, false, state.queued)) return report;
  if (!verifier.check_table(**store, true, state.dead_lettered)) return report;
  if (places.tail.empty()) return report;
  Tail tail(places.tail);
  const auto loaded = tail.open_read_only();
  if (!loaded) {
    if (loaded.error().kind == Fault::closed) return in_context(places.tail, loaded.error());
    verifier.problem(places.tail + ": " + loaded.error().what);
    return report;
  }
  if (loaded->damaged_bytes > 0) {
    verifier.problem(places.tail + ": " + std::to_string(loaded->damaged_bytes) + " damaged bytes");
  }
  for (const auto& entry : tail.entries()) {
    if (!entry.removed && !verifier.check(entry.seq, tail.body(entry).value_or(""), entry.crc)) return report;
  }
  return report;
}

Result<SalvageReport> salvage_queue(const std::string& damaged, const std::string& fresh, const Progress& progress) {
  if (kind_of(damaged) == Kind::nothing) return missing(damaged);
  if (kind_of(fresh) != Kind::nothing) {
    return Error{Fault::config, fresh + ": file exists; name a new one"};
  }
  if (auto free = not_held(damaged); !free) return free.error();
  const StoreOptions options{fresh, 0, ""};
  StoreState state = state_of_fresh(damaged);
  SalvageMark mark = std::exchange(state.salvage, SalvageMark{});
  mark.missing = 1;  // every page is searched
  if (auto made = Store::create(options, state); !made) return in_context(fresh, made.error());
  auto store = Store::open(options);
  if (!store) return in_context(fresh, store.error());
  SalvageReport report;
  Salvage salvage(damaged);
  std::vector<Found> found;
  for (bool more = true; more;) {
    more = salvage.step(mark, found);
    if (auto written = write_found(**store, found, report); !written) return in_context(fresh, written.error());
    if (progress && !progress(report.records + report.dead_lettered)) break;
  }
  report.damaged = mark.damaged;
  report.structure_lost = salvage.structure_lost();
  if (auto copied = (*store)->checkpoint(); !copied) return in_context(fresh, copied.error());
  return report;
}

Result<std::unique_ptr<Queue>> open_queue_file(const QueuePlaces& places, const Now& now, const BootId& boot) {
  // A damaged file, or one that is not a queue, stays as it is: only the service must start in any case.
  if (auto view = QueueView::open(places); !view) return view.error();
  QueueOptions options = options_for(places);
  options.report_losses = false;
  return open_queue(std::move(options), now, boot);
}

}  // namespace baudbridge
