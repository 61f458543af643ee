#include "support/certificates.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>

#include "support/temp_dir.h"

namespace baudbridge::testing {
namespace {

template <auto Free>
struct Release {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION_free>>;
using File = std::unique_ptr<std::FILE, Release<std::fclose>>;

constexpr long kDay_s = 24 * 3600;

struct Pair {
  Key key;
  Certificate certificate;
};

struct Wish {
  std::string name;
  std::string alternative_names{};  ///< as openssl.cnf writes subjectAltName; empty: none
  long from_s = -kDay_s;
  long until_s = 30 * kDay_s;
  bool authority = false;
};

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("certificates for tests: ") + what);
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, "extension");
}

/// issuer null: signed by itself.
Pair make(const Wish& wish, const Pair* issuer) {
  static long serial = 1;
  Pair pair;
  pair.key.reset(EVP_EC_gen("P-256"));
  check(pair.key != nullptr, "key");
  pair.certificate.reset(X509_new());
  X509* certificate = pair.certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.until_s);
  X509_set_pubkey(certificate, pair.key.get());
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate, issuer == nullptr ? name : X509_get_subject_name(issuer->certificate.get()));
  if (wish.authority) add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  if (!wish.alternative_names.empty()) add_extension(certificate, NID_subject_alt_name, wish.alternative_names);
  EVP_PKEY* signer = issuer == nullptr ? pair.key.get() : issuer->key.get();
  check(X509_sign(certificate, signer, EVP_sha256()) > 0, "signature");
  return pair;
}

/// All of them, made once in a process.
class Store {
 public:
  Store() {
    const Pair good = save("authority", {.name = "Test Authority", .authority = true}, nullptr);
    const Pair other = save("other-authority", {.name = "Other Authority", .authority = true}, nullptr);
    const std::string here = "DNS:localhost,IP:127.0.0.1";
    save("good", {.name = "localhost", .alternative_names = here}, &good);
    save("wrong-host", {.name = "elsewhere.example", .alternative_names = "DNS:elsewhere.example"}, &good);
    save("expired", {.name = "localhost", .alternative_names = here, .from_s = -3 * kDay_s, .until_s = -kDay_s}, &good);
    save("not-yet-valid", {.name = "localhost", .alternative_names = here, .from_s = kDay_s}, &good);
    save("stranger", {.name = "localhost", .alternative_names = here}, &other);
    save("client", {.name = "client"}, &good);
    save("stranger-client", {.name = "client"}, &other);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }

 private:
  Pair save(const std::string& name, const Wish& wish, const Pair* issuer) {
    Pair pair = make(wish, issuer);
    const File certificate(std::fopen(file(name + ".pem").c_str(), "we"));
    check(certificate && PEM_write_X509(certificate.get(), pair.certificate.get()) == 1, "file");
    const File key(::fdopen(::open(file(name + ".key").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), "w"));
    check(key && PEM_write_PrivateKey(key.get(), pair.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "key file");
    return pair;
  }

  TempDir dir_;
};

const Store& store() {
  static const Store made;
  return made;
}

}  // namespace

std::string certificate_file(const std::string& name) {
  return store().file(name + ".pem");
}
std::string key_file(const std::string& name) {
  return store().file(name + ".key");
}
std::string authority() {
  return certificate_file("authority");
}
std::string other_authority() {
  return certificate_file("other-authority");
}

}  // namespace baudbridge::testing
