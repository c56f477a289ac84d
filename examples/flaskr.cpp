// A blog with users, as in the Flask tutorial: register, log in, write, change and delete posts. Sessions, flash
// messages, CSRF tokens, and pages that escape by construction. The data is in memory.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -DWINSVC_JSON=0 -Isingle_include -Ibuild/deps/include examples/flaskr.cpp winsvc-mingw.o -o flaskr.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -DWINSVC_JSON=0 -Isingle_include -Ibuild/deps/include examples/flaskr.cpp winsvc.o -o flaskr
//
//   $ ./flaskr debug &
//   Open http://127.0.0.1:5012/ in a browser.
#include <winsvc.hpp>

#include <map>
#include <mutex>

using winsvc::form;
using winsvc::html;
using winsvc::reply;
using winsvc::request;
using winsvc::session;
using winsvc::url_for;

struct post {
  std::string author, title, body;
};

struct blog {
  std::mutex mutex;
  std::map<std::string, std::string> users;  // name, hash of the password
  std::map<int, post> posts;
  int count = 0;

  post& own(int id, const std::string& user) {
    const auto found = posts.find(id);
    if (found == posts.end()) winsvc::abort(404, "Post id " + std::to_string(id) + " does not exist.");
    if (found->second.author != user) winsvc::abort(403, "This is a post of another user.");
    return found->second;
  }
};

std::string user_of(const request& req) { return session::of(req).get("user").value_or(""); }

std::optional<reply> login_required(const request& req) {
  if (user_of(req).empty()) return reply::to(req, "login");
  return {};
}

html page(const request& req, const std::string& title, const html& content) {
  const auto user = user_of(req);
  const html links = user.empty() ? html("<a href='{}'>Register</a> <a href='{}'>Log In</a>", url_for(req, "register"),
                                         url_for(req, "login"))
                                  : html("{} <a href='{}'>Log Out</a>", user, url_for(req, "logout"));
  html messages;
  for (const auto& message : session::of(req).take_flashes()) messages += html("<div class=flash>{}</div>", message);
  return html("<!doctype html><html lang=en><meta charset=utf-8><title>{} - Flaskr</title>"
              "<nav><a href='{}'>Flaskr</a> {}</nav><h1>{}</h1>{}{}",
              title, url_for(req, "index"), links, title, messages, content);
}

html user_form(const request& req) {
  return html("<form method=post>{}<label>Username <input name=name required></label>"
              "<label>Password <input type=password name=password required></label><input type=submit></form>",
              winsvc::csrf_field(req));
}

html post_form(const request& req, const post& p) {
  return html("<form method=post>{}<label>Title <input name=title value='{}' required></label>"
              "<label>Body <textarea name=body>{}</textarea></label><input type=submit value=Save></form>",
              winsvc::csrf_field(req), p.title, p.body);
}

reply fail(const request& req, const char* route, const std::string& message) {
  session::of(req).flash(message);
  return reply::to(req, route);
}

void accounts(winsvc::route_group& auth) {
  auth.get("/register", [](const request& req) { return page(req, "Register", user_form(req)); }).name("register");
  auth.get("/login", [](const request& req) { return page(req, "Log In", user_form(req)); }).name("login");

  auth.post("/register", form("name"), form("password"),
            [](const request& req, blog& data, std::string name, std::string password) {
              if (name.empty()) return fail(req, "register", "Username is required.");
              if (password.empty()) return fail(req, "register", "Password is required.");
              const std::lock_guard lock(data.mutex);
              if (!data.users.emplace(name, winsvc::hash_password(password)).second)
                return fail(req, "register", "User " + name + " is already registered.");
              return reply::to(req, "login");
            });
  auth.post("/login", form("name"), form("password"),
            [](const request& req, blog& data, std::string name, std::string password) {
              const std::lock_guard lock(data.mutex);
              const auto user = data.users.find(name);
              if (user == data.users.end() || !winsvc::check_password(password, user->second))
                return fail(req, "login", "Incorrect username or password.");
              session::of(req).clear().set("user", name);
              return reply::to(req, "index");
            });
  auth.get("/logout", [](const request& req) {
    session::of(req).clear();
    return reply::to(req, "index");
  }).name("logout");
}

void posts(winsvc::route_group& group) {
  group.use(login_required);
  group.get("/create", [](const request& req) { return page(req, "New Post", post_form(req, {})); }).name("create");
  group.post("/create", form("title"), form("body"),
             [](const request& req, blog& data, std::string title, std::string body) {
               if (title.empty()) return fail(req, "create", "Title is required.");
               const std::lock_guard lock(data.mutex);
               data.posts[++data.count] = {user_of(req), title, body};
               return reply::to(req, "index");
             });
  group.get("/{id}/update", [](const request& req, blog& data, int id) {
    const std::lock_guard lock(data.mutex);
    const post& p = data.own(id, user_of(req));
    return page(req, "Edit " + p.title, post_form(req, p));
  }).name("update");
  group.post("/{id}/update", form("title"), form("body"),
             [](const request& req, blog& data, int id, std::string title, std::string body) {
               const std::lock_guard lock(data.mutex);
               post& p = data.own(id, user_of(req));
               p.title = title, p.body = body;
               return reply::to(req, "index");
             });
  group.post("/{id}/delete", [](const request& req, blog& data, int id) {
    const std::lock_guard lock(data.mutex);
    data.own(id, user_of(req));
    data.posts.erase(id);
    return reply::to(req, "index");
  }).name("delete");
}

void App(winsvc::service& svc) {
  svc.name("flaskr").description("A blog with users").listen("127.0.0.1", 5012);
  const auto key = svc.setting("secret_key", "only for development", "signs the sessions", winsvc::secret);
  svc.provide(std::make_shared<blog>());
  svc.use(winsvc::sessions(*key)).use(winsvc::csrf_tokens());

  svc.get("/", [](const request& req, blog& data) {
    html list;
    if (!user_of(req).empty()) list += html("<a href='{}'>New</a>", url_for(req, "create"));
    const std::lock_guard lock(data.mutex);
    for (auto p = data.posts.rbegin(); p != data.posts.rend(); ++p) {
      const auto& [id, shown] = *p;
      list += html("<article><h2>{}</h2><p>by {}</p><p>{}</p>", shown.title, shown.author, shown.body);
      if (shown.author == user_of(req))
        list += html("<a href='{}'>Edit</a><form method=post action='{}'>{}<button>Delete</button></form>",
                     url_for(req, "update", id), url_for(req, "delete", id), winsvc::csrf_field(req));
      list += html("</article>");
    }
    return page(req, "Posts", list);
  }).name("index");
  svc.group("/auth", accounts).group("/blog", posts);
}
WINSVC_MAIN(App)
