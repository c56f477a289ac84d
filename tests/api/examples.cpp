// The examples of docs/api.md. tools/amalgamate copies each region `// [name]` to the entry of that name.
#include <winsvc/testing.hpp>

#include <winsvc.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using winsvc::testing::client;

// Not in the unnamed namespace: on Windows no test calls it.
// [run]
int run_without_macro(int argc, char** argv) {
  std::string greeting = "hello";
  return winsvc::run(argc, argv, [&greeting](winsvc::service& svc) {  // instead of WINSVC_MAIN
    svc.get("/", [&greeting] { return greeting; });
  });
}
// [/run]

struct point {
  int x, y;
};
inline bool operator==(const point& a, const point& b) { return a.x == b.x && a.y == b.y; }
template <>
struct winsvc::text_traits<point> {
  static std::string kind() { return "a point such as 1/2"; }
  static std::optional<point> parse(std::string_view s) {
    const auto slash = s.find('/');
    if (slash == s.npos) return std::nullopt;
    return point{std::atoi(std::string(s).c_str()), std::atoi(std::string(s.substr(slash + 1)).c_str())};
  }
  static std::string text(const point& p) { return std::to_string(p.x) + '/' + std::to_string(p.y); }
};

// [host]
bool run_with_own_loop() {
  winsvc::host host([](winsvc::service& svc) { svc.listen("127.0.0.1", 0); });
  host.start();                                                      // returns at once
  if (!host.wait_until_serving(10s)) return false;                   // host.wait() has the failure
  /* ... the program's own loop ... */
  host.stop("the window was closed");
  return static_cast<bool>(host.wait());
}
// [/host]

namespace {

enum class mode { fast, safe };

struct box {
  std::string name;
  double kilos = 0;
};
WINSVC_TYPE(box, (name, at_least(1)), (kilos, above(0)))

struct user {
  std::string name;
};

// [json_library json_kind]
/// A parser of another library, here of a text that is a number.
class number_parser final : public winsvc::json_library {
 public:
  std::shared_ptr<const void> parse(const std::string& text, std::string&) const override {
    return std::make_shared<double>(std::atof(text.c_str()));
  }
  winsvc::json_kind kind(value) const override { return winsvc::json_kind::number; }
  bool boolean(value) const override { return false; }
  std::int64_t integer(value) const override { return 0; }
  std::uint64_t unsigned_integer(value) const override { return 0; }
  double number(value v) const override { return *static_cast<const double*>(v); }
  std::string_view text(value) const override { return {}; }
  std::size_t size(value) const override { return 0; }
  value element(value, std::size_t) const override { return nullptr; }
  value member(value, std::string_view) const override { return nullptr; }
  void for_each_member(value, const std::function<void(std::string_view, value)>&) const override {}
};

void with_number_parser(winsvc::service& svc) {
  svc.provide<winsvc::json_library>(std::make_shared<number_parser>());
  svc.post("/half", [](winsvc::body<double> n) { return *n / 2; });
}
// [/json_library json_kind]

// [log_sink log_entry]
/// Keeps the text of the entries. `write` is called by one thread at a time.
class list_sink final : public winsvc::log_sink {
 public:
  explicit list_sink(std::vector<std::string>& lines) : lines_(lines) {}
  void write(const winsvc::log_entry& entry) noexcept override {
    if (entry.level >= winsvc::log_level::warn) lines_.push_back(entry.text);
  }

 private:
  std::vector<std::string>& lines_;
};
// [/log_sink log_entry]

// [settings_file settings_format]
winsvc::settings_file parse_colons(std::string_view content) {   // name: value
  winsvc::settings_file file;
  std::istringstream lines{std::string(content)};
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    const auto colon = line.find(": ");
    if (colon == line.npos) file.errors.push_back({number, "the line has no ': '", "write name: value"});
    else file.rows.push_back({line.substr(0, colon), line.substr(colon + 2), number, true});
  }
  return file;
}

winsvc::settings_format colon_settings() { return {"conf", parse_colons, {}}; }
// [/settings_file settings_format]

// [result failure error]
winsvc::result<int> parse_port(const std::string& text) {
  if (text.empty()) return winsvc::failure{winsvc::error{87, "parse", "port", "the text is empty", "give a number"}};
  return std::stoi(text);
}
// [/result failure error]

bool is_known_token(std::string_view token) { return token == "t0ken"; }

#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
void with_tls(winsvc::service& svc) {
  // [tls_options]
  winsvc::tls_options options;
  options.client_authorities = "clients.pem";                      // clients must have a certificate of these
  svc.tls("server.pem", "server.key", options);
  // [/tls_options]
}
#endif

void describe(winsvc::service& svc) {
  // [service]
  svc.name("hello").display_name("Hello service").listen("127.0.0.1", 5001);
  svc.depends_on({"Tcpip"}).startup(winsvc::startup::delayed);
  svc.worker("poller", [](winsvc::stop_token stop) {
    while (!stop.wait_for(5s)) { /* poll a device */ }
  });
  svc.ready("store", [] { return true; });
  // [/service]
}

void limit(winsvc::service& svc) {
  // [limits server_limits]
  svc.limits().body_bytes = 1024 * 1024;     // larger bodies get 413
  svc.limits().keep_alive_timeout = 30s;     // between two requests of a connection
  // [/limits server_limits]
}

void install(winsvc::service& svc) {
  // [recovery_action restart_after no_action]
  svc.recovery({winsvc::restart_after(5s), winsvc::restart_after(1min), winsvc::no_action()});
  // [/recovery_action restart_after no_action]
  // [reboot_after run_command_after]
  svc.recovery({winsvc::run_command_after(5s), winsvc::reboot_after(1min)}).recovery_command("C:\\tools\\repair.exe");
  // [/reboot_after run_command_after]
  // [startup]
  svc.startup(winsvc::startup::manual);
  // [/startup]
}

void routes(winsvc::service& svc) {
  // [route_registrar]
  svc.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
  svc.put("/notes/{name}", [](std::string name) { return "stored " + name; });
  svc.any("/echo/{path...}", [](std::string path) { return path; });
  // [/route_registrar]
  // [http_method]
  svc.route(winsvc::http_method::put, "/switch", [] { return "on"; });
  // [/http_method]
  // [route_group]
  svc.group("/v1", [](winsvc::route_group& v1) {
    v1.use(winsvc::security_headers());
    v1.get("/status", [] { return "ok"; });   // GET /v1/status
  });
  // [/route_group]
  // [route_builder]
  svc.get("/reports", [] { return "none"; }).name("reports").summary("All reports").timeout(5s);
  svc.post("/reports", [] { return winsvc::reply(201); }).limit_body(4096);
  // [/route_builder]
  // [url_for]
  svc.get("/old-reports", [](const winsvc::request& req) {
    return winsvc::reply::redirect(winsvc::url_for(req, "reports"));
  });
  // [/url_for]
  // [absolute_url]
  svc.get("/feed", [](const winsvc::request& req) {
    return "see " + winsvc::absolute_url(req, winsvc::url_for(req, "reports"));   // https://example.com/reports
  });
  // [/absolute_url]
  // [trailing_slash]
  svc.trailing_slash(winsvc::trailing_slash::redirect);           // GET /reports/ is redirected to /reports
  // [/trailing_slash]
}

// [template_engine]
/// An adapter of a template engine. adapters/winsvc/ctemplate.hpp is a complete one.
class title_engine final : public winsvc::template_engine {
 public:
  std::vector<std::string> find_errors() const override { return {}; }  // the errors of all templates

 protected:
  std::string render_text(const std::string& name, const winsvc::json&) const override {
    return "<h1>" + name + "</h1>";
  }
};
// [/template_engine]

void pages(winsvc::service& svc) {
  // [session sessions session_options csrf_tokens csrf_field]
  winsvc::session_options options;
  options.lifetime = 8h;                                                      // without requests
  svc.use(winsvc::sessions("a secret of at least 16 bytes", options)).use(winsvc::csrf_tokens());
  svc.get("/visit", [](const winsvc::request& req) {
    const bool known = winsvc::session::of(req).get("seen").has_value();
    winsvc::session::of(req).set("seen", "yes");
    return known ? "another visit" : "first visit";
  });
  svc.get("/form", [](const winsvc::request& req) {
    return winsvc::html("<form method=post action=/notes>{}<input type=submit></form>", winsvc::csrf_field(req));
  });
  svc.post("/notes", [] { return "stored"; });                                // 403 without the token
  // [/session sessions session_options csrf_tokens csrf_field]
  // [hash_password check_password]
  svc.get("/account/{password}", [](std::string password) {
    const std::string stored = winsvc::hash_password(password);
    return winsvc::check_password(password, stored);
  });
  // [/hash_password check_password]
  svc.templates(std::make_shared<title_engine>());
  svc.get("/template", [](winsvc::template_engine& engine) { return engine.render("index", {{"title", "Posts"}}); });
}

void requests(winsvc::service& svc) {
  // [query]
  svc.get("/search", [](const winsvc::request& req) {
    const auto word = winsvc::query<std::string>(req, "q");        // 400 if it is missing
    const int page = winsvc::query(req, "page", 1);                // 1 if it is missing, 400 if it is not a number
    return word + " " + std::to_string(page);
  });
  // [/query]
  // [find_query]
  svc.get("/find", [](const winsvc::request& req) {
    const std::optional<int> limit = winsvc::find_query<int>(req, "limit");
    return limit ? std::to_string(*limit) : "no limit";
  });
  // [/find_query]
  // [query_all]
  svc.get("/sum", [](const winsvc::request& req) {
    int sum = 0;
    for (const int n : winsvc::query_all<int>(req, "n")) sum += n;  // /sum?n=1&n=2
    return std::to_string(sum);
  });
  // [/query_all]
  // [parameter header cookie_value default_value]
  svc.get("/parcels/{id}", winsvc::query("size", winsvc::between(1, 9), winsvc::default_value(1)),
          winsvc::header("X-Key", "key of the client"), winsvc::cookie_value("theme"),
          [](int id, int size, std::string key, std::optional<std::string> theme) {
            return std::to_string(id * size) + key + theme.value_or("");
          });
  // [/parameter header cookie_value default_value]
  // [html]
  svc.get("/hello/{name}", [](std::string name) { return winsvc::html("<p>Hello, {}</p>", name); });
  // [/html]
  // [file]
  svc.post("/scans", winsvc::file("scan"), winsvc::form("title"), winsvc::client_address(),
           [](winsvc::uploaded_file scan, std::string title, std::string address) {
             return title + ": " + std::to_string(scan.size()) + " bytes from " + address;
           });
  // [/file]
  // [to_json_text from_json_text]
  svc.put("/boxes/{id}", [](int id, winsvc::body<box> b) {       // WINSVC_TYPE(box, ...): see the top of this file
    const box copy = winsvc::from_json_text<box>(winsvc::to_json_text(*b));
    return id > 0 ? std::optional(copy) : std::nullopt;          // {"name":"tea","kilos":2}
  });
  // [/to_json_text from_json_text]
  // [form]
  svc.post("/login", [](const winsvc::request& req) { return "hello " + winsvc::form<std::string>(req, "user"); });
  // [/form]
  // [find_form]
  svc.post("/note", [](const winsvc::request& req) {
    return winsvc::find_form<std::string>(req, "title").value_or("untitled");
  });
  // [/find_form]
  // [find_header request]
  svc.get("/if-version", [](const winsvc::request& req) {
    const std::optional<int> version = winsvc::find_header<int>(req, "X-Version");
    return version ? "version " + std::to_string(*version) : "no version";
  });
  // [/find_header request]
  // [request_method request_path client_address]
  svc.any("/describe", [](const winsvc::request& req) {
    return winsvc::request_method(req) + " " + winsvc::request_path(req) + " from " + winsvc::client_address(req);
  });
  // [/request_method request_path client_address]
  // [header_text has_header]
  svc.post("/type", [](const winsvc::request& req) {
    return winsvc::has_header(req, "Content-Type") ? winsvc::header_text(req, "Content-Type") : "unknown";
  });
  // [/header_text has_header]
  // [body_text]
  svc.post("/length", [](const winsvc::request& req) { return std::to_string(winsvc::body_text(req).size()); });
  // [/body_text]
  // [set_cookie find_cookie response]
  svc.get("/remember", [](const winsvc::request& req, winsvc::response& res) {
    winsvc::set_cookie(res, winsvc::cookie("visits", "1"));
    return winsvc::find_cookie(req, "visits").value_or("first visit");
  });
  // [/set_cookie find_cookie response]
  // [upload uploaded_file]
  svc.post("/files", [](winsvc::upload form) {
    const auto& file = form.file("file");                          // 400 if the form has no such file
    return file.file_name() + ": " + std::to_string(file.size()) + " bytes";
  }).limit_body(50 << 20);
  // [/upload uploaded_file]
}

void more_requests(winsvc::service& svc) {
  // [upload_error]
  svc.put("/backups/{name}", [](std::string name, winsvc::upload sent) {
    try {
      sent.body().save_to("backups/" + name);                      // the folder must exist
    } catch (const winsvc::upload_error& e) {
      return winsvc::reply::text(e.is_disk_full() ? "the disk is full" : "not stored", 507);
    }
    return winsvc::reply(201);
  });
  // [/upload_error]
  // [file_options]
  winsvc::file_options options;
  options.fallback = "index.html";                                 // for a page that makes its own routes
  options.cache_control = "public, max-age=3600";
  svc.files("/site", "www", options);
  // [/file_options]
}

#if WINSVC_JSON
struct item {
  std::string name;
  double price = 0;
};
WINSVC_TYPE(item, name, price)

void with_json(winsvc::service& svc) {
  // [json]
  svc.get("/items/{id}", [](int id) { return winsvc::json{{"id", id}, {"name", "hammer"}}; });
  // [/json]
  // [body]
  svc.post("/items", [](winsvc::body<item> sent) {                 // 422 if a member is missing or has another type
    return winsvc::reply::text(sent->name, 201);
  });
  // [/body]
}
#endif

void responses(winsvc::service& svc) {
  // [reply]
  svc.post("/items", [] { return winsvc::reply::text("created", 201).header("Location", "/items/7"); });
  svc.get("/home", [] { return winsvc::reply::redirect("/index.html"); });
  // [/reply]
  // [abort]
  svc.get("/items/{id}", [](int id) {
    if (id > 100) winsvc::abort(404, "there is no item " + std::to_string(id));
    return "item";
  });
  // [/abort]
  // [stream]
  svc.get("/numbers", [] {
    return winsvc::reply::stream("text/plain", [](winsvc::stream& out) {
      for (int i = 0; i < 3 && out.write(std::to_string(i) + "\n"); ++i) {}
    });
  });
  // [/stream]
  // [event_stream]
  svc.get("/ticks", [] {
    return winsvc::reply::events([](winsvc::event_stream& out) {
      for (int i = 0; i < 2; ++i) out.send("tick", "clock", std::to_string(i));
    });
  });
  // [/event_stream]
  // [event_channel]
  static winsvc::event_channel prices;
  svc.get("/prices", [] { return winsvc::reply::events(prices); });
  svc.put("/prices/{name}", [](const winsvc::request& req, std::string name) {
    prices.send(req.body, name);                                   // to all clients of /prices
    return std::to_string(prices.subscribers()) + " clients";
  });
  // [/event_channel]
}

void middleware(winsvc::service& svc) {
  // [next_handler middleware]
  svc.use([](const winsvc::request&, winsvc::response& res, const winsvc::next_handler& next) {
    next();                                                        // without this call, the handler does not run
    res.set_header("X-Service", "hello");
  });
  // [/next_handler middleware]
  // [context]
  svc.use([](const winsvc::request& req, winsvc::response&, const winsvc::next_handler& next) {
    winsvc::context(req).set(user{"anna"});
    next();
  });
  svc.get("/me", [](const winsvc::request& req) { return winsvc::context(req).get<user>()->name; });
  // [/context]
  // [basic_auth authenticated_user]
  svc.group("/admin", [](winsvc::route_group& admin) {
    admin.use(winsvc::basic_auth("hello", {{"anna", "secret"}}));
    admin.get("/", [](const winsvc::request& req) {
      return winsvc::context(req).get<winsvc::authenticated_user>()->name;
    });
  });
  // [/basic_auth authenticated_user]
  // [bearer_auth]
  svc.group("/api", [](winsvc::route_group& api) {
    api.use(winsvc::bearer_auth("hello", [](std::string_view token) -> std::optional<std::string> {
      return is_known_token(token) ? std::optional<std::string>("robot") : std::nullopt;
    }));
    api.get("/", [] { return "data"; });
  });
  // [/bearer_auth]
}

void more_middleware(winsvc::service& svc) {
  // [cors]
  svc.use(winsvc::cors({"https://app.example"}));
  // [/cors]
  // [cors_policy]
  winsvc::cors_policy policy;
  policy.origins = {"https://app.example"};
  policy.headers = {"Content-Type", "X-Token"};
  svc.group("/shared", [&policy](winsvc::route_group& shared) {
    shared.use(winsvc::cors(policy));
    shared.get("/", [] { return "shared"; });
  });
  // [/cors_policy]
  // [allowed_hosts]
  svc.use(winsvc::allowed_hosts({"hello.example.com", "*.internal"}));
  // [/allowed_hosts]
  // [same_origin]
  svc.use(winsvc::same_origin());
  // [/same_origin]
  // [trusted_proxies]
  svc.use(winsvc::trusted_proxies({"127.0.0.1", "10.0.0.0/8"}));   // before rate_limit
  // [/trusted_proxies]
  // [rate_limit]
  svc.use(winsvc::rate_limit(10, 20));                             // 10 requests per second, 20 at once
  // [/rate_limit]
  // [request_id]
  svc.use(winsvc::request_id());                                   // X-Request-Id, the ID in the log
  // [/request_id]
  // [security_headers]
  svc.use(winsvc::security_headers("default-src 'self'"));
  // [/security_headers]
  // [body_limit]
  svc.use(winsvc::body_limit(64 * 1024));
  // [/body_limit]
  svc.get("/", [] { return "page"; });
}

void sockets(winsvc::service& svc) {
  // [websocket]
  svc.websocket("/echo", [](winsvc::websocket& ws) {
    while (const auto message = ws.receive()) ws.send(*message);
  });
  // [/websocket]
  // [websocket_options]
  winsvc::websocket_options options;
  options.protocols = {"chat.v2", "chat.v1"};
  svc.websocket("/chat", [](winsvc::websocket& ws) { ws.send(ws.protocol()); }, options);
  // [/websocket_options]
}

void hooks(winsvc::service& svc, std::vector<std::string>& calls) {
  // [start_context]
  svc.on_start([&calls](winsvc::start_context& start) {
    start.progress("opening the store", 1, 2);
    calls.push_back("open");
    return [&calls] { calls.push_back("close"); };                 // the cleanup function runs at stop
  });
  // [/start_context]
  // [stop_context]
  svc.on_stop([&calls](winsvc::stop_context& stop) {
    stop.progress("flushing");
    calls.push_back("flush");
  });
  // [/stop_context]
  // [session_change]
  svc.on_session_change([&calls](const winsvc::session_change&) { calls.push_back("session"); });
  // [/session_change]
  // [power_event]
  svc.on_power([&calls](const winsvc::power_event&) { calls.push_back("power"); });
  // [/power_event]
}

void settings(winsvc::service& svc) {
  svc.settings_format(colon_settings());
  // [setting]
  const auto greeting = svc.setting("greeting", "hello", "text of the response");
  svc.get("/greeting", [greeting] { return *greeting; });
  // [/setting]
  // [between]
  svc.setting("cache_mb", 64, "size of the cache", winsvc::between(1, 1024));
  // [/between]
  // [satisfies]
  svc.setting("prefix", "x-", "",
              winsvc::satisfies([](const std::string& s) { return s.back() == '-'; }, "end in '-'"));
  // [/satisfies]
  // [at_least at_most above below]
  svc.setting("name", "packer", "at most 20 characters", winsvc::at_least(1), winsvc::at_most(20));
  svc.setting("ratio", 0.5, "between 0 and 1", winsvc::above(0), winsvc::below(1));
  // [/at_least at_most above below]
  // [one_of]
  svc.setting("size", 8, "", winsvc::one_of(4, 8, 16));
  // [/one_of]
  // [matches]
  svc.setting("serial", "AB-1", "", winsvc::matches("[A-Z]{2}-\\d+"));
  // [/matches]
  // [text_traits]
  svc.setting("origin", point{1, 2}, "text_traits<point> is specialized at the top of this file");
  // [/text_traits]
  // [enum_names]
  svc.setting("mode", mode::safe, "", winsvc::enum_names<mode>{{"fast", mode::fast}, {"safe", mode::safe}});
  // [/enum_names]
  // [secret_setting]
  svc.setting("password", "", "password of the store", winsvc::secret);
  // [/secret_setting]
  // [start_setting]
  svc.setting("threads", 4, "number of workers", winsvc::at_start);
  // [/start_setting]
  // [byte_size]
  svc.setting("quota", winsvc::byte_size{10 * 1024 * 1024}, "for example 10M");
  // [/byte_size]
  // [file_path]
  svc.setting("store", winsvc::file_path{"store.db"}, "a relative path starts in the folder of the executable");
  // [/file_path]
}

void failures(winsvc::service& svc) {
  svc.not_found([](const winsvc::request&, winsvc::response& res) {
    res.set_content("there is no such page", "text/plain");
  });
  svc.on_exception<std::out_of_range>(
      [](const std::out_of_range&) { return winsvc::reply::text("out of range", 400); });
  // [abort_error]
  svc.get("/guarded", [] {
    try {
      winsvc::abort(403, "not today");
    } catch (const winsvc::abort_error& e) {
      if (e.status() != 403) throw;                                // rethrow what you do not handle
    }
    return "handled";
  });
  // [/abort_error]
  svc.get("/at/{i}", [](int i) { return std::to_string(std::vector<int>{1, 2, 3}.at(static_cast<std::size_t>(i))); });
}

void logging(winsvc::service& svc) {
  // [logger]
  svc.get("/work", [&svc] {
    svc.log().info("work was requested");
    return "done";
  });
  // [/logger]
  // [log_file_options log_format]
  svc.log_file().format = winsvc::log_format::json;
  svc.log_file().max_files = 10;
  // [/log_file_options log_format]
}

}  // namespace

TEST_CASE("the examples of routes, requests and responses do what their comments state") {
  client r(routes);
  CHECK(r.get("/users/7").body == "user 7");
  CHECK(r.put("/notes/a", "text", "text/plain").body == "stored a");
  CHECK(r.get("/echo/a/b").body == "a/b");
  CHECK(r.get("/v1/status").header("X-Content-Type-Options") == "nosniff");
  CHECK(r.get("/old-reports").header("Location") == "/reports");

  client q(requests);
  CHECK(q.get("/search?q=cat").body == "cat 1");
  CHECK(q.get("/search").status == 400);
  CHECK(q.get("/find").body == "no limit");
  CHECK(q.get("/sum?n=1&n=2").body == "3");
  CHECK(q.get("/hello/%3Cb%3E").body == "<p>Hello, &lt;b&gt;</p>");
  CHECK(q.get("/hello/a").header("Content-Type") == "text/html; charset=utf-8");
  client p(pages);
  CHECK(p.get("/visit").body == "first visit");
  CHECK(p.post("/notes", "", "application/x-www-form-urlencoded").status == 403);
  CHECK(p.get("/form").body.find("name=\"csrf_token\"") != std::string::npos);
  // It takes 5 s with a sanitizer. api/pages.cpp has the same functions with fewer rounds of the hash.
  if (!waiting::with_sanitizer) CHECK(p.get("/account/pass").body == "true");
  CHECK(p.get("/template").body == "<h1>index</h1>");
  CHECK(q.get("/parcels/2?size=3", {{"X-Key", "k"}}).body == "6k");
  CHECK(q.get("/parcels/2?size=10", {{"X-Key", "k"}}).status == 422);
  const std::string scan = "--x\r\nContent-Disposition: form-data; name=\"scan\"; filename=\"a\"\r\n\r\n123\r\n"
                           "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA\r\n--x--\r\n";
  CHECK(q.post("/scans", scan, "multipart/form-data; boundary=x").body.find("A: 3 bytes from ") == 0);
  CHECK(q.put("/boxes/1", R"({"name":"tea","kilos":2})").body == R"({"name":"tea","kilos":2})");
  CHECK(q.put("/boxes/1", R"({"name":"","kilos":2})").status == 422);
  CHECK(client(with_number_parser).post("/half", "5").body == "2.5");
  CHECK(q.post("/login", "user=anna", "application/x-www-form-urlencoded").body == "hello anna");
  CHECK(q.post("/note", "", "application/x-www-form-urlencoded").body == "untitled");
  CHECK(q.get("/if-version", {{"X-Version", "2"}}).body == "version 2");
  CHECK(q.post("/type", "x", "text/plain").body == "text/plain");
  CHECK(q.post("/length", "12345", "text/plain").body == "5");
  CHECK(q.get("/remember").header("Set-Cookie").rfind("visits=1", 0) == 0);
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n12345\r\n--b--\r\n";
  CHECK(q.post("/files", form, "multipart/form-data; boundary=b").body == "a.txt: 5 bytes");

  client s(responses);
  CHECK(s.post("/items", "").header("Location") == "/items/7");
  CHECK(s.get("/items/101").status == 404);
  CHECK(s.get("/numbers").body == "0\n1\n2\n");
  CHECK(s.get("/ticks").body.find("event: clock\ndata: tick\n") != std::string::npos);
}

TEST_CASE("the examples of middleware, WebSockets and error handlers do what their comments state") {
#if WINSVC_JSON
  client j(with_json);
  CHECK(j.get("/items/7").body == R"({"id":7,"name":"hammer"})");
  CHECK(j.post("/items", R"({"name":"saw","price":9.5})").body == "saw");
#endif
  CHECK(client(more_requests).put("/backups/a", "text", "text/plain").status == 507);

  client m(middleware);
  CHECK(m.get("/me").body == "anna");
  CHECK(m.get("/me").header("X-Service") == "hello");
  CHECK(m.get("/admin").status == 401);
  CHECK(m.get("/api", {{"Authorization", "Bearer t0ken"}}).body == "data");

  client more(more_middleware);
  const auto page = more.get("/", {{"Origin", "https://app.example"}, {"Host", "hello.example.com"}});
  CHECK(page.header("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(page.header("X-Request-Id") != "");

  client w(sockets);
  // [websocket_transcript]
  const auto echo = w.websocket("/echo", {"a", "b"});
  CHECK(echo.messages == std::vector<std::string>{"a", "b"});
  // [/websocket_transcript]
  CHECK(w.websocket("/chat", {}, {{"Sec-WebSocket-Protocol", "chat.v1"}}).messages ==
        std::vector<std::string>{"chat.v1"});

  client f(failures);
  CHECK(f.get("/at/9").status == 400);
  CHECK(f.get("/guarded").body == "handled");
  CHECK(f.get("/nothing").body == "there is no such page");
}

TEST_CASE("the examples of hooks, settings and the log do what their comments state") {
  std::vector<std::string> calls;
  const auto app = [&calls](winsvc::service& svc) { hooks(svc, calls); };
  {
    // [simulated_scm]
    winsvc::testing::simulated_scm scm;
    scm.start(app);
    CHECK(scm.stop() == 0);
    CHECK(scm.wait() == 0);                                        // the exit code
    // [/simulated_scm]
  }
  CHECK(calls == std::vector<std::string>{"open", "flush", "close"});

  client s(settings);
  CHECK(s.get("/greeting").body == "hello");
  client l(logging);
  CHECK(l.get("/work").body == "done");
  CHECK(l.log().back().text == "work was requested");
  for (auto* const app_without_routes : {describe, limit, install}) CHECK_NOTHROW(client{*app_without_routes});
}

#ifndef _WIN32  // there run() reads the command line of the process, which is that of the tests
TEST_CASE("the example of run() runs a verb") {
  char program[] = "hello", verb[] = "version";
  char* arguments[] = {program, verb, nullptr};
  CHECK(run_without_macro(2, arguments) == 0);
}
#endif

#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
TEST_CASE("the example of TLS options describes a service") { CHECK_NOTHROW(client{with_tls}); }
#endif

TEST_CASE("the examples of the test tools do what their comments state") {
  std::vector<std::string> lines;
  winsvc::logger log;
  log.add_sink(std::make_shared<list_sink>(lines));
  log.info("started");
  log.warn("slow");
  CHECK(lines == std::vector<std::string>{"slow"});
  CHECK(*parse_port("80") == 80);
  // [parse_log_level]
  CHECK(winsvc::parse_log_level("warn") == winsvc::log_level::warn);
  CHECK_FALSE(winsvc::parse_log_level("loud"));
  // [/parse_log_level]
  CHECK(parse_port("").error().code == 87);
  // [setup_error]
  const auto twice = [](winsvc::service& svc) {
    svc.get("/", [] { return "a"; });
    svc.get("/", [] { return "b"; });                              // throws setup_error: the route exists
  };
  CHECK_THROWS_AS(client{twice}, winsvc::setup_error);
  // [/setup_error]

  // [client client_response]
  client c(routes);
  const auto response = c.get("/users/7");
  CHECK(response.status == 200);
  CHECK(response.body == "user 7");
  // [/client client_response]
  // [manual_clock]
  winsvc::testing::manual_clock clock;
  const auto before = clock.now();
  clock.advance(1h);                                               // no test has to wait
  CHECK(clock.now() - before == 1h);
  // [/manual_clock]
  // [stop_source stop_token]
  const winsvc::stop_source source;
  const winsvc::stop_token token = source.token();
  source.request_stop();
  CHECK(token.stop_requested());
  // [/stop_source stop_token]
}
