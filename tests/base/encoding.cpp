// Tests of base64 (vectors of RFC 4648), SHA-1 and SHA-256 (FIPS 180-4) and HMAC (RFC 4231).
#include "winsvc/base/encoding.hpp"

#include <doctest/doctest.h>

#include <string>

#include "winsvc/base/sha.hpp"

using namespace winsvc;
using namespace winsvc::detail::base;

namespace {

std::string hex(const std::string& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace

TEST_CASE("base64 encodes and decodes all bytes") {
  struct { const char* plain; const char* encoded; const char* url;
  } const cases[] = {{"", "", ""},           {"f", "Zg==", "Zg"},          {"fo", "Zm8=", "Zm8"},
                     {"foo", "Zm9v", "Zm9v"}, {"foobar", "Zm9vYmFy", "Zm9vYmFy"}, {"\xfb\xff", "+/8=", "-_8"}};
  for (const auto& c : cases) {
    CHECK(detail::base::to_base64(c.plain) == c.encoded);
    CHECK(detail::base::to_base64url(c.plain) == c.url);
    CHECK(detail::base::from_base64(c.encoded) == c.plain);
    CHECK(detail::base::from_base64(c.url) == c.plain);
  }
  std::string text;
  for (int i = 0; i < 256; ++i) text += static_cast<char>(i);
  CHECK(detail::base::from_base64(detail::base::to_base64(text)) == text);
}

TEST_CASE("a text that is not base64 is rejected") {
  for (const char* bad :
       {"Z", "Zg=", "Z===", "Zh==", "Zm9=", "Zm-9=", "Zm 9v", "Zg==Zg==", "====", "Zm9v\n", "\xc3\xbc"}) {
    CAPTURE(bad);
    CHECK(!detail::base::from_base64(bad));
  }
}

TEST_CASE("equal_secret compares the whole text and the length") {
  CHECK(equal_secret("", ""));
  CHECK(equal_secret("secret", "secret"));
  for (const char* other : {"", "secre", "secrets", "Secret", "secreT", "secretsecret"})
    CHECK(!equal_secret(other, "secret"));
  CHECK(!equal_secret("a", ""));
}

TEST_CASE("SHA-1, SHA-256 and HMAC have the values of the standards") {
  CHECK(hex(winsvc::detail::base::sha1("")) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex(winsvc::detail::base::sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex(winsvc::detail::base::sha1(std::string(1'000'000, 'a'))) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256(std::string(1'000'000, 'a'))) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
