// JSON bodies: accepted content types, maximum depth, and the location of an error.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using winsvc::service;
using winsvc::testing::client;

TEST_CASE("a body is parsed as JSON only if its Content-Type is JSON") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<winsvc::json> j) { return *j; });
  };
  client c(app);
  for (const char* type : {"application/json", "application/json; charset=utf-8", "Application/JSON", "text/json",
                           "application/merge-patch+json"}) {
    CAPTURE(type);
    CHECK(c.post("/in", "{}", type).status == 200);
  }
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded",
                           "application/jsonp", "+json", ""}) {
    CAPTURE(type);
    const auto response = c.post("/in", "{}", type);
    CHECK(response.status == 415);
    CHECK(response.body.find("send it with 'Content-Type: application/json'") != std::string::npos);
  }
  CHECK(c.request("POST", "/in", {}, "{}").status == 415);
}

TEST_CASE("JSON may be nested 128 levels deep, so that a small stack is sufficient") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<winsvc::json> j) { return *j; });
  };
  client c(app);
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(c.post("/in", nested(128)).body == nested(128));
  const auto response = c.post("/in", nested(129));
  CHECK(response.status == 400);
  CHECK(response.body.find("nested deeper than 128 levels") != std::string::npos);
  CHECK(c.post("/in", nested(1'000'000)).status == 400);
  CHECK(c.post("/in", '"' + std::string(200, '[') + '"').status == 200);        // brackets in a string do not count
  CHECK(c.post("/in", "\"\\\"" + std::string(200, '[') + '"').status == 200);   // also after an escaped quote
}

namespace {
struct line {
  int count = 0;
  std::string item;
};
void from_json(const winsvc::json& j, line& value) {
  j.at("item").get_to(value.item);
  j.at("count").get_to(value.count);
  if (value.count < 0) throw std::invalid_argument("count is negative");
}
void to_json(winsvc::json& j, const line& value) { j = {{"count", value.count}, {"item", value.item}}; }
struct order {
  std::string customer;
  std::vector<line> lines;
};
void from_json(const winsvc::json& j, order& value) {
  j.at("customer").get_to(value.customer);
  j.at("lines").get_to(value.lines);
}
void to_json(winsvc::json& j, const order& value) { j = {{"customer", value.customer}, {"lines", value.lines}}; }
}  // namespace

TEST_CASE("a body with an unexpected shape is rejected with the location of the error") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<order> body) { return std::to_string(body->lines.size()); });
  };
  client c(app);
  const auto detail = [&](const std::string& body) -> std::string {
    const auto response = c.post("/in", body);
    CHECK(response.status == 422);
    return winsvc::json::parse(response.body).at("detail").get<std::string>();
  };
  const std::string prefix = "the body does not have the expected shape: ";
  CHECK(c.post("/in", R"({"customer":"anna","lines":[{"item":"tea","count":1}]})").body == "1");
  // Values with the same content before and after the invalid one do not confuse the search.
  CHECK(detail(R"({"customer":"anna","lines":[{"item":"tea","count":1},{"item":"milk","count":"two"}],"note":"x"})") ==
        prefix + "/lines/1/count: type must be number, but is string");
  CHECK(detail(R"({"customer":7,"lines":[{"item":"tea","count":"one"}]})") ==
        prefix + "/customer: must be text, but is 7");
  CHECK(detail(R"({"customer":null,"lines":[]})") == prefix + "/customer: must be text, but is null");
  CHECK(detail(R"({"customer":"anna","lines":[{"count":1}]})") == prefix + "/lines/0/item: key 'item' not found");
  CHECK(detail(R"({"customer":"anna","lines":[{"item":"a","count":1},{"item":"a"},{}]})") ==
        prefix + "/lines/1/count: key 'count' not found");
  CHECK(detail(R"({"lines":[]})") == prefix + "/customer: key 'customer' not found");
  CHECK(detail(R"({"customer":"anna","lines":{}})") == prefix + "/lines: must be a list, but is an object");
  CHECK(detail("[]").find(prefix) == 0);
  CHECK(detail(R"({"customer":"anna","lines":[{"item":"tea","count":-1}]})") == prefix + "count is negative");
}

namespace {
struct part {
  std::int16_t size = 0;
  unsigned char level = 0;
  std::int64_t total = 0;
  double price = 0;
  float ratio = 0;
  bool active = false;
  std::string name;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(part, size, level, total, price, ratio, active, name)
};
struct box {
  std::vector<part> parts;
  std::map<std::string, int> counts;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(box, parts, counts)
};

/// Posts each body to a route with body<T>. Returns the faults, or the status if it is not 422.
template <class T>
std::string faults_of(const std::string& text) {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<T>) { return "accepted"; });
  };
  client c(app);
  const auto response = c.post("/in", text);
  if (response.status != 422) return std::to_string(response.status);
  const auto detail = winsvc::json::parse(response.body).at("detail").get<std::string>();
  const auto shape = detail.find("shape: ");
  return shape == detail.npos ? detail : detail.substr(shape + 7);
}
}  // namespace

TEST_CASE("an integer that does not fit, a fraction and a boolean are rejected for each integer type") {
  const auto check = [](auto zero, const std::vector<const char*>& good, const std::vector<const char*>& bad) {
    using integer = decltype(zero);
    for (const char* number : good) {
      CAPTURE(number);
      CHECK(faults_of<std::vector<integer>>("[" + std::string(number) + "]") == "200");
    }
    for (const char* number : bad) {
      CAPTURE(number);
      const auto in_list = faults_of<std::vector<integer>>("[" + std::string(number) + "]");
      CHECK_MESSAGE(in_list.find("/0 must be ") == 0, in_list);
      const auto alone = faults_of<integer>(number);
      CHECK_MESSAGE(alone.find("the body must be ") == 0, alone);
      const auto in_set = faults_of<std::set<integer>>("[" + std::string(number) + "]");
      CHECK_MESSAGE(in_set.find("/0: must be a whole number from ") == 0, in_set);
    }
  };
  check(std::int8_t{}, {"127", "-128", "1.0"}, {"128", "-129", "1.5", "true", "1e30", "null", "\"1\""});
  check(std::uint8_t{}, {"0", "255"}, {"256", "-1", "0.5", "false", "-0.5"});
  check(std::int16_t{}, {"32767", "-32768"}, {"32768", "-32769", "1e5"});
  check(std::uint16_t{}, {"65535"}, {"65536", "-1"});
  check(std::int32_t{}, {"2147483647", "-2147483648", "1e3"}, {"2147483648", "99999999999", "-2147483649", "1e30"});
  check(std::uint32_t{}, {"4294967295"}, {"4294967296", "-1"});
  check(std::int64_t{}, {"9223372036854775807", "-9223372036854775808", "9007199254740991.0", "-9007199254740991.0"},
        {"9223372036854775808", "-9223372036854775809", "1e19", "1.5", "9007199254740992.0", "9007199254740993.0",
         "9007199254740994.0", "-9007199254740993.0"});
  check(std::uint64_t{}, {"18446744073709551615", "1e3", "9007199254740991.0"},
        {"18446744073709551616", "-1", "1e30", "9007199254740993.0"});
  CHECK(faults_of<std::map<std::string, int>>(R"({"a":99999999999})").find("/a must be ") == 0);
}

TEST_CASE("all faults of a body are reported, each with its place") {
  const auto faults =
      faults_of<std::map<std::string, std::vector<int>>>(R"({"a":[1,1.5,true],"b~/c":[99999999999,2]})");
  for (const char* place : {"/a/1 ", "/a/2 ", "/b~0~1c/0 "}) {
    CAPTURE(place);
    CHECK_MESSAGE(faults.find(place) != std::string::npos, faults);
  }
  const auto in_set = faults_of<std::map<std::string, std::set<int>>>(R"({"a":[1,1.5,true],"b~/c":[99999999999,2]})");
  for (const char* place : {"/a/1: ", "/a/2: ", "/b~0~1c/0: "}) {
    CAPTURE(place);
    CHECK_MESSAGE(in_set.find(place) != std::string::npos, in_set);
  }
  CHECK(faults_of<std::map<std::string, std::set<int>>>("[]") == "must be an object, but is a list");
  CHECK(faults_of<std::set<std::string>>("[1]") == "/0: must be text, but is 1");
  CHECK(faults_of<std::set<bool>>("[1, true]") == "/0: must be true or false, but is 1");
  CHECK(faults_of<std::set<float>>("[1e300, 1.5]") == "/0: must be a number in the range of its type, but is 1e+300");
  CHECK(faults_of<std::set<std::optional<int>>>("[null, 1, 1.5]").find("/2: ") == 0);
  CHECK(faults_of<std::array<int, 2>>("[1, 2]") == "200");
  CHECK(faults_of<std::array<int, 2>>("[1]") == "must be a list of 2 values, but is a list");
  CHECK(faults_of<std::pair<int, std::string>>(R"([1.5, 2])").find("/0: ") == 0);

  using row = std::pair<int, std::string>;
  auto app = [](service& svc) { svc.post("/in", [](winsvc::body<row>) { return "accepted"; }); };
  client c(app);
  CHECK(winsvc::json::parse(c.post("/in", "[1.5, 2]").body).at("errors") ==
        winsvc::json::parse(R"([{"in":"body","pointer":"/0",
                                 "detail":"must be a whole number from -2147483648 to 2147483647, but is 1.5"},
                                {"in":"body","pointer":"/1","detail":"must be text, but is 2"}])"));
  CHECK(winsvc::json::parse(c.post("/in", "7").body).at("errors") ==
        winsvc::json::parse(R"([{"in":"body","pointer":"","detail":"must be a list of 2 values, but is 7"}])"));
  CHECK(faults_of<std::set<int>>("[1, true]").find("/1: ") == 0);
}

TEST_CASE("a number that the conversion of a type changes is rejected at each depth") {
  const std::string good = R"({"size":1,"level":2,"total":3,"price":1.5,"ratio":0.1,"active":true,"name":"x"})";
  CHECK(faults_of<part>(good) == "200");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  CHECK(faults_of<part>(with("\"size\":1", "\"size\":70000")).find("/size: ") == 0);
  CHECK(faults_of<part>(with("\"size\":1", "\"size\":1.5")).find("/size: must be a whole number, but is 1.5") == 0);
  CHECK(faults_of<part>(with("\"level\":2", "\"level\":-1")).find("/level: ") == 0);
  CHECK(faults_of<part>(with("\"total\":3", "\"total\":true")).find("/total: ") == 0);
  CHECK(faults_of<part>(with("\"total\":3", "\"total\":1e30")).find("/total: ") == 0);
  CHECK(faults_of<part>(with("\"price\":1.5", "\"price\":true")).find("/price: ") == 0);
  CHECK(faults_of<part>(with("\"price\":1.5", "\"price\":2")) == "200");
  const auto several =
      faults_of<part>(R"({"size":"a","level":1.5,"total":3,"price":"b","ratio":1,"active":1,"name":2})");
  for (const char* place : {"/size: ", "/level: ", "/price: ", "/active: ", "/name: "}) {
    CAPTURE(place);
    CHECK(several.find(place) != std::string::npos);
  }
  const auto nested = faults_of<box>(R"({"parts":[)" + good + "," + with("\"size\":1", "\"size\":70000") +
                                     R"(],"counts":{"a":1.5}})");
  CHECK(nested.find("/parts/1/size: ") != std::string::npos);
  CHECK(nested.find("/counts/a: ") != std::string::npos);
  const auto list = faults_of<std::vector<part>>("[" + good + "," + with("\"name\":\"x\"", "\"name\":1") + ",{}]");
  CHECK(list.find("/1/name: must be text, but is 1") == 0);
  CHECK(list.find("/2/size: key 'size' not found") != std::string::npos);
}

namespace {
enum class color { red, blue };
NLOHMANN_JSON_SERIALIZE_ENUM(color, {{color::red, "red"}, {color::blue, "blue"}})
enum class mode { invalid, on };
NLOHMANN_JSON_SERIALIZE_ENUM(mode, {{mode::invalid, nullptr}, {mode::on, "on"}})
struct shirt {
  color shade = color::blue;
  mode use = mode::on;
  std::vector<int> sizes;
  float weight = 0;
  std::map<std::string, std::vector<std::uint8_t>> codes;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(shirt, shade, use, sizes, weight, codes)
};
/// Keeps a text in another form, and checks a number.
struct label {
  std::string text;
  int percent = 100;
};
void to_json(winsvc::json& j, const label& value) { j = {{"text", value.text}, {"percent", value.percent}}; }
void from_json(const winsvc::json& j, label& value) {
  value.text = winsvc::detail::base::to_lower(winsvc::detail::base::trim(j.at("text").get_ref<const std::string&>()));
  j.at("percent").get_to(value.percent);
  if (value.percent < 100) throw std::invalid_argument("the percentage is less than 100");
}
}  // namespace

TEST_CASE("an unknown name of an enumeration of nlohmann's library is rejected at each depth") {
  CHECK(faults_of<color>("\"blue\"") == "200");
  CHECK(faults_of<color>("\"green\"").find("must be a name of the enumeration") == 0);
  CHECK(faults_of<color>("5").find("must be a name of the enumeration") == 0);
  CHECK(faults_of<std::vector<color>>(R"(["red","green"])").find("/1: ") == 0);
  CHECK(faults_of<std::map<std::string, color>>(R"({"a":"green"})").find("/a: ") == 0);
  CHECK(faults_of<mode>("\"off\"").find("must be ") == 0);
  CHECK(faults_of<shirt>(R"({"shade":"blue","use":"on"})") == "200");
  CHECK(faults_of<shirt>(R"({"shade":"red"})") == "200");
  CHECK(faults_of<shirt>(R"({"shade":"green"})") == "/shade: must be one of the values of its type, but is \"green\"");
  CHECK(faults_of<shirt>(R"({"shade":7})").find("/shade: ") == 0);
  CHECK(faults_of<shirt>(R"({"use":"off"})").find("/use: ") == 0);
  CHECK(faults_of<std::vector<shirt>>(R"([{"shade":"red"},{"shade":"green"}])").find("/1/shade: ") == 0);
}

namespace {
/// As clients send it back: `created`, `id` and `rank` are written and not read, and `password` is written as "***".
struct account {
  std::string title, password;
  std::uint8_t size = 0;
};
void to_json(winsvc::json& j, const account& value) {
  j = {{"title", value.title}, {"password", "***"}, {"created", "2026-01-02"}, {"id", 0}, {"rank", 1},
       {"size", value.size}};
}
void from_json(const winsvc::json& j, account& value) {
  j.at("title").get_to(value.title);
  value.password = j.value("password", std::string());
  value.size = j.value("size", std::uint8_t{0});
}
}  // namespace

TEST_CASE("a member that a type writes but does not read is accepted with each value") {
  CHECK(faults_of<account>(R"({"title":"a"})") == "200");
  CHECK(faults_of<account>(R"({"title":"a","created":"2026-01-01"})") == "200");
  CHECK(faults_of<account>(R"({"title":"a","password":"x"})") == "200");
  CHECK(faults_of<account>(R"({"title":"a","id":256,"rank":true})") == "200");
  CHECK(faults_of<std::vector<account>>(R"([{"title":"a","id":1.5,"created":"x"}])") == "200");
  CHECK(faults_of<account>(R"({"title":"a","size":256})").find("/size: must be a whole number") == 0);
}

TEST_CASE("a number that a list or a float of a type cannot have is rejected") {
  CHECK(faults_of<shirt>(R"({"sizes":[1,2.0,1e3],"weight":1.5,"codes":{"a":[255,1.0]}})") == "200");
  CHECK(faults_of<shirt>(R"({"sizes":[1,1e30]})").find("/sizes/1: must be a whole number") == 0);
  CHECK(faults_of<shirt>(R"({"sizes":[1,-1e30]})").find("/sizes/1: ") == 0);
  CHECK(faults_of<shirt>(R"({"sizes":[5000000000.0]})").find("/sizes/0: ") == 0);
  CHECK(faults_of<shirt>(R"({"sizes":[true,99999999999]})").find("/sizes/0: ") == 0);
  CHECK(faults_of<shirt>(R"({"codes":{"a":[1],"b":[1,1e3]}})").find("/codes/b/1: ") == 0);
  CHECK(faults_of<shirt>(R"({"codes":{"a":[-1.0]}})").find("/codes/a/0: ") == 0);
  CHECK(faults_of<shirt>(R"({"weight":1e300})").find("/weight: must be a number in the range of its type") == 0);
  CHECK(faults_of<shirt>(R"({"weight":-1e300})").find("/weight: ") == 0);
  CHECK(faults_of<shirt>(R"({"weight":3e38})") == "200");
  CHECK(faults_of<shirt>(R"({"weight":1e999})") == "400");  // a double cannot have it, so there is no place
  CHECK(faults_of<double>("1e999") == "400");
}

TEST_CASE("a type may keep a text in another form, and check a number itself") {
  CHECK(faults_of<label>(R"({"text":" Large ","percent":150.0})") == "200");
  CHECK(faults_of<label>(R"({"text":"x","percent":1.0})").find("the percentage is less than 100") == 0);
  CHECK(faults_of<label>(R"({"text":"x","percent":1e30})").find("/percent: ") == 0);
  CHECK(faults_of<label>(R"({"text":"x","percent":200.5})").find("/percent: ") == 0);
}

namespace {
/// Described only by functions of nlohmann's library, as in programs that had them before.
struct point {
  int x = 0, y = 0;
};
void to_json(winsvc::json& j, const point& p) { j = {{"x", p.x}, {"y", p.y}}; }
void from_json(const winsvc::json& j, point& p) {
  j.at("x").get_to(p.x);
  j.at("y").get_to(p.y);
}
struct sample {
  int a = 0;
  std::string b;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(sample, a, b)
}  // namespace

TEST_CASE("a type with nlohmann's to_json and from_json is a body and a result, without WINSVC_TYPE") {
  auto app = [](service& svc) {
    svc.post("/point", [](winsvc::body<point> p) { return *p; });
    svc.post("/points", [](winsvc::body<std::vector<point>> p) { return *p; });
    svc.post("/by-name", [](winsvc::body<std::map<std::string, sample>> s) { return *s; });
    svc.get("/created", [] { return std::pair<int, point>(201, {1, 2}); });
    svc.get("/missing", [] { return std::optional<point>(); });
    svc.openapi("/openapi.json");
  };
  client c(app);
  const auto post = [&c](const char* path, const char* body) { return c.post(path, body, "application/json"); };

  CHECK(post("/point", R"({"x":1,"y":2})").body == R"({"x":1,"y":2})");
  CHECK(post("/point", R"({"x":1,"y":2})").header("Content-Type") == "application/json");
  CHECK(post("/points", R"([{"x":1,"y":2},{"x":3,"y":4}])").body == R"([{"x":1,"y":2},{"x":3,"y":4}])");
  CHECK(post("/by-name", R"({"k":{"a":1,"b":"t"}})").body == R"({"k":{"a":1,"b":"t"}})");
  CHECK(c.get("/created").status == 201);
  CHECK(c.get("/created").body == R"({"x":1,"y":2})");
  CHECK(c.get("/missing").status == 404);
  CHECK(post("/points", R"([{"x":1,"y":2},{"x":1.5,"y":4}])").status == 422);
  CHECK(post("/points", R"([{"x":1,"y":2},{"x":1.5,"y":4}])").body.find("/1/x") != std::string::npos);
  // The document has the media type, and no schema, because the library does not describe the members.
  CHECK(c.get("/openapi.json").body.find(
            R"("200":{"description":"Success","content":{"application/json":{}}})") != std::string::npos);
}
