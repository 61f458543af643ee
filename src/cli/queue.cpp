#include <unistd.h>

#include <array>
#include <charconv>
#include <fstream>
#include <iostream>
#include <string_view>

#include "core/settings.h"
#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/text_table.h"
#include "src/control/queue_access.h"
#include "src/json.h"

namespace baudbridge {
namespace {

int fail(const Error& error) {
  std::cerr << "baudbridge: " << error.what << "\n";
  return error.kind == Fault::config ? kUsage : kFailed;
}

int wrong(const std::string& what) {
  return fail(Error{Fault::config, what + "; see 'baudbridge queue --help'"});
}

int finish_output() {
  std::cout.flush();
  return std::cout ? kDone : kFailed;
}

/// Calls `each` with every record's line, page by page: all, or with --queued or --dead-letter only those. It answers
/// false to end it.
template <class Each>
Result<void> for_each_line(QueueAccess& queue, const Options& options, Each each) {
  const bool queued_only = options.has("queued") && !options.has("dead-letter");
  const bool dead_letters_only = options.has("dead-letter") && !options.has("queued");
  std::optional<PageMark> mark = PageMark{dead_letters_only, 0};
  std::uint64_t damaged = 0;
  while (mark && !(queued_only && mark->dead_lettered)) {
    const auto page = queue.page(*mark);
    if (!page) return page.error();
    damaged += page->damaged;
    for (const auto& line : page->lines) {
      if (queued_only && text_of(parse_json(line).value_or(Json()), "where") == "dead_lettered") return {};
      if (!each(line)) return {};
    }
    mark = page->next;
  }
  if (damaged > 0) {
    std::cerr << "baudbridge: damaged records, which are left out: " << damaged << " (see 'baudbridge queue verify')\n";
  }
  return {};
}

// stat

std::string time_text(const Json& object, const char* name) {
  const Json& ms = member(object, name);
  return ms.is_number_integer() ? utc_text(Milliseconds(ms.get<std::int64_t>())) : "-";
}

int stat(QueueAccess& queue, const Options& options) {
  const auto text = queue.stat();
  if (!text) return fail(text.error());
  if (options.json) {
    std::cout << *text << "\n";
    return finish_output();
  }
  const Json report = parse_json(*text).value_or(Json::object());
  const Json& counters = member(report, "records");
  TextTable table;
  table.row({"queue", printable(queue.name())});
  table.row({"queue id", text_of(report, "queue_id")});
  table.row({"queued", std::to_string(count_of(counters, "queued")) + " (" +
                           std::to_string(count_of(report, "in_tail")) + " in memory, " +
                           std::to_string(count_of(report, "in_store")) + " on disk)"});
  table.row({"oldest", time_text(report, "oldest")});
  table.row({"dead letters", std::to_string(count_of(counters, "dead_lettered"))});
  table.row({"accepted", std::to_string(count_of(counters, "accepted"))});
  table.row({"acknowledged", std::to_string(count_of(counters, "acknowledged"))});
  table.row({"dropped", std::to_string(count_of(counters, "dropped"))});
  table.row({"sum", flag_of(report, "balanced") ? "correct" : "WRONG: accepted is not the sum of the others"});
  table.row({"last seq", std::to_string(count_of(report, "last_seq"))});
  const std::uint64_t cap = count_of(report, "max_size_bytes");
  table.row({"on disk", size_text(count_of(report, "store_bytes")) + (cap > 0 ? " of at most " + size_text(cap) : "")});
  if (!flag_of(report, "durable")) table.row({"disk error", printable(text_of(report, "disk_error"))});
  for (const auto& line : table.lines()) std::cout << line << "\n";
  return finish_output();
}

// list, export

std::string contents_text(const Json& line) {
  std::string text;
  for (const char* name : {"values", "faults"}) {
    const Json& readings = member(line, name);
    if (!readings.is_object()) continue;
    for (const auto& [point, value] : readings.items()) {
      text +=
          (text.empty() ? "" : " ") + point + "=" + (value.is_string() ? value.get<std::string>() : json_text(value));
    }
  }
  return printable(text);
}

int list(QueueAccess& queue, const Options& options) {
  constexpr std::int64_t kShown = 1000;
  const auto limit = options.integer("limit", 1, std::int64_t{1} << 40);
  if (!limit) return fail(limit.error());
  const auto left = static_cast<std::uint64_t>(limit->value_or(options.json ? std::int64_t{1} << 40 : kShown));
  constexpr std::size_t kContentsWidth = 80;
  TextTable table;
  table.row({"seq", "taken", "device", "where", "readings"});
  std::uint64_t shown = 0;
  bool more = false;
  const auto listed = for_each_line(queue, options, [&](const std::string& text) {
    if (shown == left) {
      more = true;
      return false;
    }
    ++shown;
    if (options.json) {
      std::cout << text << "\n";
      return static_cast<bool>(std::cout);
    }
    const Json line = parse_json(text).value_or(Json::object());
    std::string where = text_of(line, "where");
    if (const std::string why = text_of(line, "why"); !why.empty()) where += ": " + why;
    table.row({std::to_string(count_of(line, "seq")), time_text(line, "ts"), printable(text_of(line, "device")),
               printable(where), cut_to(contents_text(line), kContentsWidth)});
    return true;
  });
  if (!listed) return fail(listed.error());
  if (!options.json) {
    for (const auto& line : table.lines()) std::cout << line << "\n";
  }
  if (more) std::cerr << "baudbridge: there are more records; set --limit N, or use 'queue export'\n";
  return finish_output();
}

int export_all(QueueAccess& queue, const Options& options) {
  const auto exported = for_each_line(queue, options, [](const std::string& line) {
    std::cout << line << "\n";
    return static_cast<bool>(std::cout);
  });
  if (!exported) return fail(exported.error());
  return finish_output();
}

// import

int import_stream(QueueAccess& queue, std::istream& in, const Options& options) {
  constexpr std::size_t kBatch_bytes = 256U << 10;
  ImportReport sum;
  std::uint64_t number = 0;
  bool more = true;
  while (more) {
    std::vector<std::string> lines;
    std::size_t size = 0;
    std::string line;
    while (lines.size() < kPageRecords && size < kBatch_bytes && (more = static_cast<bool>(std::getline(in, line)))) {
      ++number;
      if (line.empty()) continue;
      // Parsed here, so that the message can name the line.
      if (const auto record = parse_export_line(line); !record) {
        return fail(in_context("line " + std::to_string(number), Error{Fault::io, record.error().what}));
      }
      size += line.size();
      lines.push_back(line);
    }
    if (lines.empty()) continue;
    const auto report = queue.import(lines);
    if (!report) return fail(report.error());
    sum.imported += report->imported;
    sum.renumbered += report->renumbered;
    sum.present += report->present;
  }
  if (options.json) {
    std::cout << Json{{"imported", sum.imported}, {"renumbered", sum.renumbered}, {"present", sum.present}} << "\n";
  } else {
    std::cout << sum.imported << " imported, " << sum.renumbered << " of another queue imported with new numbers, "
              << sum.present << " were there already\n";
  }
  return finish_output();
}

int import_file(QueueAccess& queue, const Options& options) {
  if (options.words.size() < 2 || options.words[1] == "-") return import_stream(queue, std::cin, options);
  std::ifstream in(options.words[1]);
  if (!in) return fail(Error{Fault::io, options.words[1] + ": cannot be read"});
  return import_stream(queue, in, options);
}

// verify, salvage

/// Shows on a terminal how far it is.
Progress progress_line() {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [](std::uint64_t records) {
    std::cerr << "\r" << records << " records " << std::flush;
    return true;
  };
}

void end_progress() {
  if (::isatty(STDERR_FILENO) == 1) std::cerr << "\r\x1b[K" << std::flush;
}

int verify(QueueAccess& queue, const Options& options) {
  const auto report = queue.verify(progress_line());
  end_progress();
  if (!report) return fail(report.error());
  if (options.json) {
    std::cout << json_text(Json{{"whole", report->whole()},
                                {"records", report->records},
                                {"damaged", report->damaged},
                                {"problems", report->problems}})
              << "\n";
  } else {
    std::cout << report->records << " records are whole, " << report->damaged << " are damaged\n";
    for (const auto& problem : report->problems) std::cout << printable(problem) << "\n";
    if (!report->whole()) {
      const std::string file = queue.damaged_file();
      std::cout << (file.empty() ? "the service publishes no damaged record, and reports what it dropped as an event"
                                 : "'baudbridge queue salvage --file " + file + " NEW.db' saves what is readable")
                << "\n";
    }
  }
  const int printed = finish_output();
  return report->whole() ? printed : kFailed;
}

int salvage(QueueAccess& queue, const Options& options) {
  if (options.words.size() != 2)
    return wrong("salvage needs the name of the new file: queue salvage --file DAMAGED.db NEW.db");
  const std::string damaged = queue.damaged_file();
  if (damaged.empty()) {
    return fail(Error{Fault::refused,
                      "a running service salvages its own file by itself; name a damaged one with --file, "
                      "such as those that it has renamed in its state directory"});
  }
  const auto report = salvage_queue(damaged, options.words[1], progress_line());
  end_progress();
  if (!report) return fail(report.error());
  if (options.json) {
    std::cout << Json{{"records", report->records},
                      {"dead_lettered", report->dead_lettered},
                      {"damaged", report->damaged},
                      {"structure_lost", report->structure_lost}}
              << "\n";
  } else {
    std::cout << report->records << " queued and " << report->dead_lettered << " dead letters saved to "
              << options.words[1] << ", " << report->damaged << " were damaged\n"
              << "'baudbridge queue export --file " << options.words[1] << " | baudbridge queue import' queues them\n";
  }
  return finish_output();
}

// requeue, purge

int requeue(QueueAccess& queue, const Options& options) {
  std::vector<Seq> seqs;
  for (std::size_t i = 1; i < options.words.size(); ++i) {
    const std::string& word = options.words[i];
    Seq seq = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), seq);
    if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) {
      return wrong("\"" + word + "\" is not a sequence number");
    }
    seqs.push_back(seq);
  }
  const auto count = queue.requeue(seqs);
  if (!count) return fail(count.error());
  if (*count < seqs.size()) {
    return fail(Error{Fault::refused, std::to_string(*count) + " of " + std::to_string(seqs.size()) +
                                          " records are queued again; the others are not dead letters ('queue list "
                                          "--dead-letter' lists them)"});
  }
  if (options.json) {
    std::cout << Json{{"requeued", *count}} << "\n";
  } else {
    std::cout << *count << " dead letters are queued again\n";
  }
  return finish_output();
}

/// Asks a user at a terminal for confirmation; a script is not asked.
bool is_meant(const Options& options) {
  if (options.has("yes") || ::isatty(STDIN_FILENO) == 0) return true;
  std::cerr
      << "This drops records that the broker has not received ('queue export' saves a copy). Type yes to continue: "
      << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes";
}

int purge(QueueAccess& queue, const Options& options) {
  PurgeOrder order;
  order.queued = options.has("queued") || !options.has("dead-letter");
  order.dead_lettered = options.has("dead-letter") || !options.has("queued");
  if (const auto age = options.value("older-than")) {
    order.older_than = parse_duration(*age);
    if (!order.older_than)
      return wrong("--older-than: \"" + *age + "\" is an invalid duration; use a form such as \"30d\" or \"2h\"");
  }
  if (!is_meant(options)) return fail(Error{Fault::refused, "nothing was dropped"});
  std::uint64_t records = 0;
  for (;;) {
    const auto report = queue.purge(order);
    if (!report) return fail(report.error());
    records += report->records;
    if (report->finished) break;
  }
  if (options.json) {
    std::cout << Json{{"purged", records}} << "\n";
  } else {
    std::cout << records << " records are purged\n";
  }
  return finish_output();
}

struct Verb {
  std::string_view name;
  int (*run)(QueueAccess&, const Options&);
  std::size_t most_words;
};
constexpr std::array kVerbs{Verb{"stat", stat, 1},
                            Verb{"list", list, 1},
                            Verb{"export", export_all, 1},
                            Verb{"import", import_file, 2},
                            Verb{"verify", verify, 1},
                            Verb{"salvage", salvage, 2},
                            Verb{"requeue", requeue, Command::kAnyNumber},
                            Verb{"purge", purge, 1}};

int run(const Options& options) {
  if (options.words.empty())
    return wrong("queue needs a subcommand: stat, list, export, import, verify, salvage, requeue or purge");
  std::vector<std::string_view> names;
  for (const auto& verb : kVerbs) {
    names.push_back(verb.name);
    if (verb.name != options.words[0]) continue;
    if (options.words.size() > verb.most_words)
      return wrong("\"" + options.words.back() + "\" is an unexpected argument");
    const auto file = options.value("file");
    if (file && options.config_file) return wrong("-c names a service's queue and --file a file: give one of them");
    const auto config = file ? Config{} : load_service_config(options);
    if (!config) return kUsage;
    auto queue = QueueAccess::open(file, *config);
    if (!queue) return fail(queue.error());
    return verb.run(**queue, options);
  }
  const std::string near = nearest(options.words[0], names);
  return wrong("queue has no subcommand \"" + options.words[0] + "\"" +
               (near.empty() ? "" : "; did you mean " + near + "?"));
}

}  // namespace

Command queue_command() {
  Command command;
  command.name = "queue";
  command.arguments = "stat|list|export|import|verify|salvage|requeue|purge [ARGUMENT...]";
  command.summary = "inspects the queue of the running service or of a file";
  command.details =
      "  stat             number of records, sizes, and the record counters\n"
      "  list             the records, queued ones first, then the dead letters\n"
      "  export           all records, a line of JSON each\n"
      "  import [FILE]    queues exported lines; without FILE from standard input\n"
      "  verify           reads everything, compares the checksums; status 1 if something is damaged\n"
      "  salvage NEW      saves what is readable of the damaged --file to the file NEW\n"
      "  requeue [SEQ...] queues dead letters again: these, or all\n"
      "  purge            drops records that the broker has not received; asks at a terminal\n\n"
      "Without --file the running service does it; if none runs, its files are used.";
  command.run = run;
  command.max_words = Command::kAnyNumber;
  command.options = {{"file", "DB", "this queue file, also one of another machine"},
                     {"limit", "N", "list: at most so many (1000)"},
                     {"queued", "", "list, export, purge: the queued records"},
                     {"dead-letter", "", "list, export, purge: the dead letters"},
                     {"older-than", "AGE", "purge: only what is older, such as 30d"},
                     {"yes", "", "purge: do not ask at the terminal"}};
  return command;
}

}  // namespace baudbridge
