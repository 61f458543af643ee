// One name for one thing: files and types.
#include <map>
#include <set>

#include "support/catch.h"
#include "unit/structure/source_tree.h"

using namespace baudbridge::testing;

namespace {

const std::vector<std::string> kProduction{"core", "offline_queue", "bridge", "adapters", "src"};

/// A subcommand's file is named as the subcommand, and the table of subcommands as what it lists.
const std::set<std::string> kSubcommandFiles{"commands.h", "commands.cpp", "queue.cpp"};

/// Line without comments, string and character literals.
std::string code_of(const std::string& line) {
  static const std::regex literals(R"("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+')");
  const std::string plain = std::regex_replace(line, literals, "");
  return plain.substr(0, plain.find("//"));
}

/// The classes, structs and enums that a file defines at namespace scope, as namespace::name. Anonymous namespaces are
/// left out: their names are the file's own.
std::set<std::string> types_in(const SourceFile& file) {
  static const std::regex opening(R"(^\s*(?:inline )?namespace\s*([\w:]*)\s*\{\s*$)");
  static const std::regex definition(
      R"(^(?:class|struct|union|enum|enum class)\s+(\w+)\s*(?:final\s*)?(?::[^:].*)?\{)");
  std::set<std::string> types;
  std::vector<std::string> scopes;  // the name of a namespace, or "{" for any other block
  for (const std::string& line : file.lines) {
    const std::string code = code_of(line);
    std::smatch match;
    if (std::regex_search(code, match, opening)) {
      scopes.push_back(match[1].length() == 0 ? "(anonymous)" : match[1].str());
      continue;
    }
    const bool at_namespace = std::none_of(scopes.begin(), scopes.end(),
                                           [](const std::string& scope) { return scope == "{" || scope[0] == '('; });
    if (at_namespace && std::regex_search(code, match, definition)) {
      std::string name;
      for (const std::string& scope : scopes) name += scope + "::";
      types.insert(name + match[1].str());
    }
    for (const char c : code) {
      if (c == '{') scopes.emplace_back("{");
      if (c == '}' && !scopes.empty()) scopes.pop_back();
    }
  }
  return types;
}

}  // namespace

TEST_CASE("no two production files have one name") {
  std::map<std::string, std::string> places;
  for (const SourceFile& file : files_of(kProduction, {".h", ".cpp"})) {
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    const auto [other, first] = places.emplace(name, file.path);
    if (file.path.starts_with("src/cli/") && kSubcommandFiles.contains(name)) continue;
    INFO(file.path << " and " << other->second);
    CHECK(first);
  }
}

TEST_CASE("no two types have one name in one namespace") {
  std::map<std::string, std::string> places;
  for (const SourceFile& file : files_of(kProduction, {".h", ".cpp"})) {
    for (const std::string& type : types_in(file)) {
      const auto [other, first] = places.emplace(type, file.path);
      INFO(type << " in " << file.path << " and in " << other->second);
      CHECK(first);
    }
  }
  CHECK(places.size() > 200);  // the expressions above still find them
}

TEST_CASE("the search for types sees namespace scope only") {
  SourceFile file{"x.h", "", {}};
  file.lines = {"namespace baudbridge {",
                "namespace {",
                "struct Hidden {",
                "};",
                "}  // namespace",
                "class Seen {",
                " public:",
                "  struct Inner {",
                "  };",
                "};",
                "struct Forward;",
                "enum class Word : int {",
                "};",
                "class Sub final : public Seen {",
                "};",
                "void f() {",
                "  struct Local {",
                "  };",
                "}",
                "}  // namespace baudbridge"};
  CHECK(types_in(file) == std::set<std::string>{"baudbridge::Seen", "baudbridge::Sub", "baudbridge::Word"});
}
