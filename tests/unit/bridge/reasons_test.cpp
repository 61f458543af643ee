#include "bridge/reasons.h"

#include "support/catch.h"

using namespace baudbridge;

TEST_CASE("what the contract calls permanent, load and not authorised is treated as such") {
  for (const int reason : {0x90, 0x99, 0x95})
    CHECK(refusal_kind(static_cast<Reason>(reason)) == RefusalKind::permanent);
  for (const int reason : {0x80, 0x93, 0x96, 0x97})
    CHECK(refusal_kind(static_cast<Reason>(reason)) == RefusalKind::load);
  CHECK(refusal_kind(0x87) == RefusalKind::not_authorised);
  CHECK(refusal_kind(0x83) == RefusalKind::permanent);  // row 59 of the catalogue of faults
}

TEST_CASE("reasons are told as number and name") {
  CHECK(reason_text(0x99) == "0x99 payload format invalid");
  CHECK(reason_text(0x0F) == "0x0F");
  CHECK(reason_text(0xFE) == "0xFE");
}

TEST_CASE("return codes of MQTT 3.1.1 find their reason") {
  CHECK(reason_of_return_code(4) == 0x86);
  CHECK(reason_of_return_code(5) == 0x87);
  CHECK(is_bad_credentials(reason_of_return_code(2)));
  CHECK(is_bad_credentials(reason_of_return_code(4)));
  CHECK(is_bad_credentials(reason_of_return_code(5)));
  CHECK_FALSE(is_bad_credentials(reason_of_return_code(3)));
}

TEST_CASE("three reasons send to another server") {
  for (int reason = 0; reason < 256; ++reason) {
    const bool moved = reason == 0x8B || reason == 0x9C || reason == 0x9D;
    CHECK(is_server_moved(static_cast<Reason>(reason)) == moved);
  }
}
