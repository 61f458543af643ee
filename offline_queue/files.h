#pragma once
// Operations on the queue's files that survive a power cut. Private to this folder.
#include <string>

#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

enum class Kind { nothing, file, empty_file, something_else };
[[nodiscard]] Kind kind_of(const std::string& path);

/// A new name in the folder of `path`: path.damaged-20261124T161229Z, with -2 and so on when that exists.
[[nodiscard]] std::string damaged_name(const std::string& path, Milliseconds utc);
/// Renames a file and its -wal file; both survive a power cut when this returns.
Result<void> rename_with_wal(const std::string& from, const std::string& to);
/// The same for one file.
Result<void> rename_durably(const std::string& from, const std::string& to);
/// Replaces a file whose sync has failed by a synced copy, in two steps, so that a failure of the first changes nothing.
Result<void> copy_and_sync(const std::string& path);
Result<void> place_copy(const std::string& path);
Result<void> make_folder_of(const std::string& path);
[[nodiscard]] std::string folder_of(const std::string& path);
[[nodiscard]] std::string name_of(const std::string& path);

}  // namespace baudbridge
