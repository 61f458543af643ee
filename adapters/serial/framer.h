#pragma once
// Bytes -> frames: finds where frames begin and end, and finds its way back after noise. Pure.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/serial/checksum.h"

namespace baudbridge {

/// What became of the bytes so far.
struct FramerCounts {
  std::uint64_t frames = 0;       ///< complete and, where there is a checksum, with a right one
  std::uint64_t damaged = 0;      ///< like a frame, but with a wrong checksum or end
  std::uint64_t extra_bytes = 0;  ///< belong to no frame (those before the first one not counted)
};

/// A stream of bytes cut into frames, whatever the pieces in which it arrives.
/// Threads: one caller. Memory is bounded by the longest frame and by what one feed() brings.
class Framer {
 public:
  virtual ~Framer() = default;
  virtual void feed(std::string_view bytes) = 0;
  /// The next frame that is complete and valid.
  virtual std::optional<std::string> next() = 0;
  /// Nothing more comes: what is incomplete times out, so that a frame behind a false beginning is found.
  virtual void give_up() = 0;
  /// Starts afresh. at_beginning: the next byte is the first of a frame (a response); otherwise it may be in the middle
  /// of one.
  virtual void restart(bool at_beginning) = 0;

  [[nodiscard]] const FramerCounts& counts() const { return counts_; }

 protected:
  FramerCounts counts_;
};

enum class LineChecksum {
  none,
  nmea,  ///< NMEA 0183: two hex digits after '*', exclusive-or of what is between '$' or '!' and '*'
  xor8,  ///< two hex digits at the end, exclusive-or of everything before them, the start mark too
};

struct LineRules {
  std::string ends = "\r\n";     ///< any of these characters ends a line; empty lines are none
  std::string start;             ///< a line begins after the last of these, and one without it is none; empty: anywhere
  std::size_t max_length = 512;  ///< a longer line is noise
  bool seven_bits = false;       ///< the eighth bit carries parity and is dropped
  bool cut_shows = false;  ///< a line without its beginning is recognised later, so the first one need not be dropped
  LineChecksum checksum = LineChecksum::none;
};

/// Lines of text. A frame is a line without its end, without the start mark and without its checksum.
class LineFramer : public Framer {
 public:
  explicit LineFramer(LineRules rules) : rules_(std::move(rules)) { restart(false); }
  void feed(std::string_view bytes) override;
  std::optional<std::string> next() override;
  void give_up() override;
  void restart(bool at_beginning) override;

 private:
  void end_line();

  LineRules rules_;
  std::string line_;
  std::deque<std::string> ready_;
  bool skipping_ = false;  ///< until the next end: the line is cut or too long
  bool first_ = true;
};

struct FrameRules {
  /// A field of the frame with its length: total length = field + add.
  struct LengthField {
    std::size_t offset = 0;
    std::size_t size = 1;
    bool little = false;
    int add = 0;
  };
  /// Byte stuffing: `mark` followed by a byte stands for that byte exclusive-or `xored`.
  struct Escape {
    char mark = 0;
    char xored = 0;
  };
  std::string start;       ///< bytes a frame begins with; may be empty
  std::string end;         ///< bytes it ends with; may be empty
  std::size_t length = 0;  ///< of the whole frame; 0: by length_field, else up to `end`
  std::optional<LengthField> length_field;
  std::size_t max_length = 512;
  bool seven_bits = false;       ///< the eighth bit carries parity and is dropped
  std::optional<Escape> escape;  ///< needs start and end; all else is meant after unstuffing
  ChecksumRule checksum;
};

/// Binary frames. A frame is given with its start, end and checksum, unstuffed. One that is not valid costs one byte:
/// a start mark inside it is looked at again.
class FrameFramer : public Framer {
 public:
  explicit FrameFramer(FrameRules rules) : rules_(std::move(rules)) {}
  void feed(std::string_view bytes) override;
  std::optional<std::string> next() override;
  void give_up() override;
  void restart(bool at_beginning) override;

 private:
  enum class Look { complete, incomplete, none };
  Look look(std::string_view bytes, std::string& frame, std::size_t& used) const;
  Look look_stuffed(std::string_view bytes, std::string& frame, std::size_t& used) const;
  std::optional<std::size_t> total_length(std::string_view bytes, Look& why) const;
  [[nodiscard]] bool valid(std::string_view frame) const;
  void drop_byte(bool damaged);
  void compact();

  FrameRules rules_;
  std::string buffer_;
  std::size_t begin_ = 0;  ///< of what is not consumed yet
  bool giving_up_ = false;
  bool synchronised_ = false;  ///< a frame was seen since the start: bytes outside frames are noise from now on
};

}  // namespace baudbridge
