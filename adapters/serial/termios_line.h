#pragma once
// The kernel's own interface to a tty: any speed (BOTHER), modem lines, RS-485. Only user of asm/termbits.h.
#include <string>

#include "adapters/serial/serial_port.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge::tty {

/// Sets speed, format and flow control, raw, without HUPCL, with reads that distinguish "nothing there" (EAGAIN) from "gone"
/// (0). Errors: io when the port refuses, or quietly does something else (on a pty only the speed is real).
Result<void> apply(int fd, const LineConfig& config);
/// The levels of DTR and RTS, where the configuration sets them. Errors: io when the port has no such lines.
Result<void> set_modem_lines(int fd, const LineConfig& config);
/// Kernel RS-485 mode (TIOCSRS485), or RTS low to begin with (we toggle it). Errors: io, the text has the remedy.
Result<void> set_rs485(int fd, const LineConfig& config);
/// Raises or lowers RTS.
Result<void> set_rts(int fd, bool level);
/// Waits until the last stop bit has left the wire, as far as the driver reports it, but not beyond the deadline.
void wait_sent(int fd, Steady deadline, Duration character_time);
/// Others cannot open it from now on (TIOCEXCL, flock). Errors: in_use when another program has it.
Result<void> claim(int fd);
/// Undoes claim() and drops what was not sent yet, so that close() has nothing to wait for.
void release(int fd) noexcept;
/// FTDI: set the short latency timer (ASYNC_LOW_LATENCY); needs no privilege.
void ask_low_latency(int fd) noexcept;
bool is_pty(int fd);

}  // namespace baudbridge::tty
