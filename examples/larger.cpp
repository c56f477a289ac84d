// Routers with their own checks, as in "Bigger Applications" of the FastAPI tutorial: a token in the query of each
// request, a token in a header for two groups, and items that can be read and changed. Try it at /openapi.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -DWINSVC_JSON=0 -Isingle_include -Ibuild/deps/include examples/larger.cpp winsvc-mingw.o -o larger.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -DWINSVC_JSON=0 -Isingle_include -Ibuild/deps/include examples/larger.cpp winsvc.o -o larger
//
//   $ ./larger debug &
//   $ curl 'http://127.0.0.1:5019/users?token=jessica'
//   [{"username":"Rick"},{"username":"Morty"}]
//   $ curl -H 'X-Token: fake-super-secret-token' 'http://127.0.0.1:5019/items/gun?token=jessica'
//   {"name":"Portal Gun","item_id":"gun"}
#include <winsvc.hpp>

#include <map>

using texts = std::map<std::string, std::string>;

struct user {
  std::string username;
};
WINSVC_TYPE(user, username)
struct item {
  std::string name;
  std::optional<std::string> item_id;
};
WINSVC_TYPE(item, name, item_id)

const std::map<std::string, item> items{{"plumbus", {"Plumbus", {}}}, {"gun", {"Portal Gun", {}}}};

void token_header(const winsvc::request& req, winsvc::response&, const winsvc::next_handler& next) {
  if (winsvc::header_text(req, "X-Token") != "fake-super-secret-token") winsvc::abort(400, "X-Token header invalid");
  next();
}

void query_token(const winsvc::request& req, winsvc::response&, const winsvc::next_handler& next) {
  if (winsvc::query<std::string>(req, "token") != "jessica") winsvc::abort(400, "No Jessica token provided");
  next();
}

void item_routes(winsvc::route_group& group) {
  group.use(token_header);
  group.get("/", [] { return items; }).tag("items");
  group.get("/{id}", [](std::string id) -> std::optional<item> {
    if (items.count(id) == 0) return std::nullopt;
    return item{items.at(id).name, id};
  }).tag("items");
  group.put("/{id}", [](std::string id) {
    if (id != "plumbus") winsvc::abort(403, "You can only update the item: plumbus");
    return item{"The great Plumbus", id};
  }).tag("items").tag("custom").returns(403, "Operation forbidden");
}

void App(winsvc::service& svc) {
  svc.name("larger").listen("127.0.0.1", 5019).openapi().use(query_token);
  svc.get("/", [] { return texts{{"message", "Hello Bigger Applications!"}}; });
  svc.get("/users", [] { return std::vector<user>{{"Rick"}, {"Morty"}}; }).tag("users");
  svc.get("/users/me", [] { return user{"fakecurrentuser"}; }).tag("users");
  svc.get("/users/{username}", [](std::string username) { return user{username}; }).tag("users");
  svc.group("/items", item_routes);
  svc.post("/admin", [] { return texts{{"message", "Admin getting schwifty"}}; }).tag("admin").use(token_header);
}
WINSVC_MAIN(App)
