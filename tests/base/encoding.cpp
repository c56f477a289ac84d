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

TEST_CASE("SHA-1 and SHA-256 pad a message of each length") {
  struct row { std::size_t length; const char* sha1; const char* sha256; };
  const row rows[] = {
      {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a",
       "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
      {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699",
       "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
      {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5",
       "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
      {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d",
       "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
      {119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56",
       "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
      {120, "f34c1488385346a55709ba056ddd08280dd4c6d6",
       "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.length);
    CHECK(hex(detail::base::sha1(std::string(r.length, 'a'))) == r.sha1);
    CHECK(hex(sha256(std::string(r.length, 'a'))) == r.sha256);
  }
}

TEST_CASE("the key of HMAC is hashed if it is longer than a block of 64 bytes") {
  CHECK(hex(hmac_sha256(std::string(64, 'k'), "text")) ==
        "0414bb1d8c0c4556cdb2028727b16610ae377b1a194b6db1f853d4297f2329bc");
  CHECK(hex(hmac_sha256(std::string(65, 'k'), "text")) ==
        "5b69580123e3d7e788b7e8352ac37a3247b911c5ec0837147b74109a6382d3f5");
}

TEST_CASE("the characters next to the digits of base64 are rejected") {
  for (const char c : {'@', '[', '`', '{', ':', '.', ',', '*', '=', '\0', '\x7f'}) {
    CAPTURE(c);
    CHECK_FALSE(detail::base::from_base64(std::string("Zm9") + c + "Zm9v"));
  }
  CHECK(detail::base::from_base64("AZaz") == "\x01\x96\xb3");
  CHECK(detail::base::from_base64("09+/") == "\xd3\xdf\xbf");
}

TEST_CASE("text for HTML has references in place of the five characters") {
  CHECK(detail::base::escape_html("a < b > c & \"d\" 'e'") == "a &lt; b &gt; c &amp; &quot;d&quot; &#39;e&#39;");
  CHECK(detail::base::escape_html("").empty());
}
