#include "bridge/reason_code.h"

#include "support/catch.h"

using namespace baudbridge;

TEST_CASE("rejections are permanent, for load or not authorized, as the contract defines") {
  for (const int reason : {0x90, 0x99, 0x95})
    CHECK(rejection_kind(static_cast<ReasonCode>(reason)) == RejectionKind::permanent);
  for (const int reason : {0x80, 0x93, 0x96, 0x97})
    CHECK(rejection_kind(static_cast<ReasonCode>(reason)) == RejectionKind::load);
  CHECK(rejection_kind(ReasonCode{0x87}) == RejectionKind::not_authorized);
  CHECK(rejection_kind(ReasonCode{0x83}) == RejectionKind::permanent);  // row 59 of the catalogue of faults
}

TEST_CASE("a reason code is reported as number and name") {
  CHECK(reason_text(ReasonCode{0x99}) == "0x99 payload format invalid");
  CHECK(reason_text(ReasonCode{0x0F}) == "0x0F");
  CHECK(reason_text(ReasonCode{0xFE}) == "0xFE");
}

TEST_CASE("a return code of MQTT 3.1.1 becomes the nearest reason code") {
  CHECK(from_return_code(4) == ReasonCode{0x86});
  CHECK(from_return_code(5) == ReasonCode{0x87});
  CHECK(is_bad_credentials(from_return_code(2)));
  CHECK(is_bad_credentials(from_return_code(4)));
  CHECK(is_bad_credentials(from_return_code(5)));
  CHECK_FALSE(is_bad_credentials(from_return_code(3)));
}

TEST_CASE("three reason codes name another server") {
  for (int reason = 0; reason < 256; ++reason) {
    const bool moved = reason == 0x8B || reason == 0x9C || reason == 0x9D;
    CHECK(is_server_moved(static_cast<ReasonCode>(reason)) == moved);
  }
}
