#pragma once
// Files of the queue: what stands at a path, moving it aside, and making a rename survive a power cut.
#include <string>

#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

enum class Kind { nothing, file, empty_file, something_else };
[[nodiscard]] Kind kind_of(const std::string& path);

/// A name beside `path` that nothing has yet: path.damaged-20261124T161229Z, with -2 and so on when that is taken.
[[nodiscard]] std::string damaged_name(const std::string& path, Milliseconds utc);
/// Gives a file another name, and its -wal file too; both survive a power cut when this returns.
Result<void> rename_with_wal(const std::string& from, const std::string& to);
/// The same for one file.
Result<void> rename_durably(const std::string& from, const std::string& to);
/// The same content in a new file under the same name, synced: for a file whose sync has failed. Two steps, so that the
/// first, which may fail, changes nothing.
Result<void> copy_anew(const std::string& path);
Result<void> place_copy(const std::string& path);
Result<void> make_folder_of(const std::string& path);
[[nodiscard]] std::string folder_of(const std::string& path);
[[nodiscard]] std::string name_of(const std::string& path);

}  // namespace baudbridge
