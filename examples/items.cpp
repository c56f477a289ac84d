// Items, users and uploads over JSON, as in the larger tutorial of FastAPI: described types, typed parameters with rules,
// headers, cookies, forms and files, routers with a token, and a page to try the API at /openapi.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/items.cpp winsvc-mingw.o -o items.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/items.cpp winsvc.o -o items
//
//   $ ./items debug &
//   $ curl --json '{"name":"tea","price":2.5}' http://127.0.0.1:5013/items
//   {"id":1,"name":"tea","price":2.5,"tags":[]}
//   $ curl --json '{"name":"","price":-1}' http://127.0.0.1:5013/items
//   {"title":"Unprocessable Content","status":422,"detail":"/name must have at least 1 character, but is ''; /price must be above 0, but is -1","errors":[{"in":"body","pointer":"/name","detail":"must have at least 1 character, but is ''"},{"in":"body","pointer":"/price","detail":"must be above 0, but is -1"}]}
//   $ curl http://127.0.0.1:5013/items?q=te
//   [{"id":1,"name":"tea","price":2.5,"tags":[]}]
#include <winsvc.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <mutex>

using winsvc::at_most;
using winsvc::between;
using winsvc::default_value;
using winsvc::header;
using winsvc::query;

enum class order { name, price };
WINSVC_ENUM(order, name, price)

struct image {
  std::string url, name;
};
WINSVC_TYPE(image, (url, matches("https?://.+")), name)

struct new_item {
  std::string name;
  std::optional<std::string> description;
  double price = 0;
  std::optional<double> tax;
  std::vector<std::string> tags;
  std::optional<std::vector<image>> images;
};
WINSVC_TYPE(new_item, (name, at_least(1)), (description, at_most(300)), (price, above(0)), tax, (tags, optional), images)

struct item : new_item {
  int id = 0;
};
WINSVC_TYPE(item, id, name, description, price, tax, tags, images)

struct items {
  mutable std::mutex mutex;
  std::map<int, item> all;
  int count = 0;
};

std::optional<winsvc::reply> token_required(const winsvc::request& req) {
  if (winsvc::header_text(req, "X-Token") == "fake-super-secret-token") return {};
  return winsvc::reply::text("X-Token header invalid", 400);
}

void item_routes(winsvc::route_group& group) {
  group.get("/", query("q", "text to find", at_most(50)), query("sort"), query("skip", default_value(0U)),
            query("limit", between(1, 100), default_value(10U)),
            [](items& data, std::optional<std::string> q, std::optional<order> sort, unsigned skip, unsigned limit) {
              const std::lock_guard lock(data.mutex);
              std::vector<item> found;
              for (const auto& [id, one] : data.all)
                if (!q || one.name.find(*q) != one.name.npos) found.push_back(one);
              if (sort) {
                std::sort(found.begin(), found.end(), [&](const item& a, const item& b) {
                  return *sort == order::name ? a.name < b.name : a.price < b.price;
                });
              }
              found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(skip, found.size())));
              if (found.size() > limit) found.resize(limit);
              return found;
            }).summary("Find items");
  group.post("/", [](items& data, winsvc::body<new_item> given) {
    const std::lock_guard lock(data.mutex);
    const int id = ++data.count;
    return std::pair(201, data.all[id] = item{*given, id});
  });
  group.get("/{id}", [](items& data, int id) -> std::optional<item> {
    const std::lock_guard lock(data.mutex);
    const auto found = data.all.find(id);
    if (found == data.all.end()) return std::nullopt;
    return found->second;
  });
  group.put("/{id}", [](items& data, int id, winsvc::body<new_item> given) {
    const std::lock_guard lock(data.mutex);
    if (data.all.count(id) == 0) winsvc::abort(404, "there is no such item");
    return data.all[id] = item{*given, id};
  }).use(token_required);
  group.del("/{id}", [](items& data, int id) {
    const std::lock_guard lock(data.mutex);
    return winsvc::reply(data.all.erase(id) != 0 ? 204 : 404);
  }).use(token_required);
}

void App(winsvc::service& svc) {
  svc.name("items").description("Items, users and uploads").version("1.0").listen("127.0.0.1", 5013).openapi();
  svc.provide(std::make_shared<items>());
  svc.group("/items", item_routes);
  svc.get("/agent", header("User-Agent"), winsvc::cookie_value("ads_id"), winsvc::client_address(),
          [](std::optional<std::string> agent, std::optional<std::string> ads, std::string address) {
            return std::map<std::string, std::optional<std::string>>{{"agent", agent}, {"ads", ads}, {"client", address}};
          });
  svc.post("/login", winsvc::form("username"), winsvc::form("password"), [](std::string name, std::string) {
    return std::map<std::string, std::string>{{"username", name}};
  });
  svc.post("/files", winsvc::file("file"), winsvc::form("token"), [](winsvc::uploaded_file file, std::string token) {
    return std::map<std::string, std::string>{{"name", file.file_name()},
                                              {"bytes", std::to_string(file.size())},
                                              {"token", token}};
  });
}
WINSVC_MAIN(App)
