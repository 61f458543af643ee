// For builds with the address sanitizer only: MQTTAsync_destroy, which keeps what the library loses reachable.
// Version 1.3.12 of the library (Debian 12; not 1.3.14) loses topic and payload of messages that it has not sent yet
// when their handle is freed: of a lost connection at most the messages of one window. Debian builds it with a tree of
// all its allocations; the tree, which still has the lost ones, is dropped when the library is next initialised, and
// its nodes are lost, too. Once a handle was freed with messages in flight, the root of the tree is copied to where
// the leak check looks. Everything of ours, and of the library's while no message was in flight, is checked.
#include <MQTTAsync.h>
#include <sanitizer/lsan_interface.h>

#include <array>
#include <atomic>
#include <cstring>

extern "C" {

void __real_MQTTAsync_destroy(MQTTAsync* handle);

/// The library's sums of its allocations; the root of the tree is next to them.
void* Heap_get_info();

/// Linked in the place of the library's (ld --wrap).
void __wrap_MQTTAsync_destroy(MQTTAsync* handle) {
  static std::atomic<bool> lost = false;
  MQTTAsync_token* tokens = nullptr;
  if (MQTTAsync_getPendingTokens(*handle, &tokens) == MQTTASYNC_SUCCESS && tokens != nullptr) {
    lost = true;
    MQTTAsync_free(tokens);
  }
  __real_MQTTAsync_destroy(handle);
  if (!lost) return;
  constexpr std::ptrdiff_t kAround = 512;  // bytes
  const __lsan::ScopedDisabler disabled;   // what is allocated here is no leak, nor what it points to
  auto* const copy = new std::array<char, 2 * kAround>;
  std::memcpy(copy->data(), static_cast<const char*>(Heap_get_info()) - kAround, copy->size());
}

}  // extern "C"
