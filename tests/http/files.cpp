// Static folders and file responses: through the test client, with a folder on the disk.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

using winsvc::file_options;
using winsvc::reply;
using winsvc::route_group;
using winsvc::service;
using winsvc::testing::client;
using winsvc::testing::headers;
namespace fs = std::filesystem;

namespace {

struct public_folder {
  fs::path path;
  public_folder() {
    static std::atomic<int> next{0};
    path = fs::temp_directory_path() /
           ("winsvc-files-" + std::to_string(winsvc::detail::os::process_id()) + "-" + std::to_string(++next));
    fs::create_directories(path / "css");
    write("index.html", "<h1>here</h1>");
    write("css/site.css", "body {}");
    write("css/site.css.gz", "packed");
    write("digits.txt", "0123456789");
    write("empty.txt", "");
    write(".env", "secret");
  }
  ~public_folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  void write(const std::string& name, const std::string& text) const {
    const fs::path file = path / fs::u8path(name);
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  std::string text() const { return path.u8string(); }
};

}  // namespace

TEST_CASE("a file is sent with its type, its length and its validators") {
  public_folder folder;
  auto app = [&](service& svc) { svc.files("/", folder.text()); };
  client c(app);

  const auto response = c.get("/digits.txt");
  CHECK(response.status == 200);
  CHECK(response.body == "0123456789");
  CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(response.header("Content-Length") == "10");
  CHECK(response.header("ETag").front() == '"');
  CHECK(!response.header("Last-Modified").empty());
  CHECK(response.header("Accept-Ranges") == "bytes");
  CHECK(response.header("X-Content-Type-Options") == "nosniff");

  const auto head = c.head("/digits.txt");
  CHECK(head.status == 200);
  CHECK(head.header("Content-Length") == "10");
  CHECK(head.header("ETag") == response.header("ETag"));

  CHECK(c.get("/empty.txt").status == 200);
  CHECK(c.get("/empty.txt").header("Content-Length") == "0");
  CHECK(c.post("/digits.txt", "x").status == 405);
}

TEST_CASE("single bytes of a file are served, in one part and in several parts") {
  public_folder folder;
  auto app = [&](service& svc) { svc.files("/", folder.text()); };
  client c(app);

  const auto one = c.get("/digits.txt", {{"Range", "bytes=3-3"}});
  CHECK(one.status == 206);
  CHECK(one.body == "3");
  const auto several = c.get("/digits.txt", {{"Range", "bytes=1-1,7-7"}});
  CHECK(several.status == 206);
  CHECK(several.body.find("bytes 1-1/10\r\n\r\n1\r\n") != std::string::npos);
  CHECK(several.body.find("bytes 7-7/10\r\n\r\n7\r\n") != std::string::npos);
}

TEST_CASE("a folder path without a slash is redirected, with a slash it serves the index") {
  public_folder folder;
  folder.write("docs/index.html", "docs");
  folder.write("\xC3\xBC" "ber/index.html", "umlaut");
  auto app = [&](service& svc) { svc.files("/site", folder.text()); };
  client c(app);

  CHECK(c.get("/site/").body == "<h1>here</h1>");
  CHECK(c.get("/site/").header("Content-Type") == "text/html; charset=utf-8");
  CHECK(c.get("/site").status == 308);
  CHECK(c.get("/site?x=1").header("Location") == "./site/?x=1");
  CHECK(c.get("/site/docs").header("Location") == "./docs/");
  CHECK(c.get("/site/docs/").body == "docs");
  CHECK(c.get("/site/%C3%BCber").header("Location") == "./%C3%BCber/");
  CHECK(c.get("/site/%C3%BCber/").body == "umlaut");
  CHECK(c.get("/site/css").status == 308);
  CHECK(c.get("/site/css/").status == 404);  // no index in it
  CHECK(c.get("/site/digits.txt/").status == 404);
}

TEST_CASE("a missing, hidden or outside file is 404 with problem details") {
  public_folder folder;
  auto app = [&](service& svc) { svc.files("/", folder.text()); };
  client c(app);
  for (const char* path : {"/nothing", "/.env", "/../x", "/%2e%2e/x", "/css/../digits.txt", "/css/%2e%2e/digits.txt",
                           "/digits.txt::$DATA", "/digits.txt.", "/digits.txt%20", "/con", "/css%5Csite.css", "/c:/x",
                           "//"}) {
    CAPTURE(path);
    const auto response = c.get(path);
    CHECK(response.status == 404);
    CHECK(response.header("Content-Type") == "application/problem+json");
  }
  CHECK(c.get("/css%2Fsite.css").status == 400);  // an encoded slash neither separates names nor is part of one
}

#ifndef _WIN32  // on Windows, a test may not create links
TEST_CASE("response link is followed within the folder, and not out of it") {
  public_folder folder, outside;
  outside.write("secret.txt", "secret");
  fs::create_symlink(folder.path / "digits.txt", folder.path / "inside.txt");
  fs::create_symlink(outside.path / "secret.txt", folder.path / "out.txt");
  fs::create_symlink(folder.path / ".env", folder.path / "env.txt");
  fs::create_directory_symlink(outside.path, folder.path / "out");
  fs::create_directory_symlink(folder.path, outside.path / "served");
  auto app = [&](service& svc) { svc.files("/", (outside.path / "served").u8string()); };  // the folder is also a link
  client c(app);
  CHECK(c.get("/inside.txt").body == "0123456789");
  CHECK(c.get("/out.txt").status == 404);
  CHECK(c.get("/env.txt").status == 404);
  CHECK(c.get("/out/secret.txt").status == 404);
  CHECK(c.get("/out").status == 404);
}
#endif

TEST_CASE("a request with a matching validator gets 304, one with a condition that fails gets 412") {
  public_folder folder;
  auto app = [&](service& svc) { svc.files("/", folder.text(), {"index.html", {}, "no-cache"}); };
  client c(app);
  const auto response = c.get("/digits.txt");

  const auto same = c.get("/digits.txt", {{"If-None-Match", response.header("ETag")}});
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(same.header("ETag") == response.header("ETag"));
  CHECK(same.header("Cache-Control") == "no-cache");
  CHECK(same.header("Content-Length").empty());
  CHECK(c.get("/digits.txt", {{"If-Modified-Since", response.header("Last-Modified")}}).status == 304);
  CHECK(c.get("/digits.txt", {{"If-None-Match", "\"other\""}}).status == 200);
  CHECK(c.get("/digits.txt", {{"If-Match", "\"other\""}}).status == 412);
  CHECK(c.get("/digits.txt", {{"If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"}}).status == 412);

  folder.write("digits.txt", "0123456789A");
  CHECK(c.get("/digits.txt", {{"If-None-Match", response.header("ETag")}}).status == 200);
}

TEST_CASE("one range or several are served, unless If-Range names another file") {
  public_folder folder;
  auto app = [&](service& svc) { svc.files("/", folder.text()); };
  client c(app);
  const auto part = [&](const std::string& range, const headers& extra_fields = {}) {
    headers fields{{"Range", range}};
    fields.insert(fields.end(), extra_fields.begin(), extra_fields.end());
    return c.get("/digits.txt", fields);
  };
  const auto response = part("bytes=2-4");
  CHECK(response.status == 206);
  CHECK(response.body == "234");
  CHECK(response.header("Content-Range") == "bytes 2-4/10");
  CHECK(response.header("Content-Length") == "3");
  CHECK(part("bytes=7-").body == "789");
  CHECK(part("bytes=-3").body == "789");
  CHECK(part("bytes=-500").body == "0123456789");
  CHECK(part("bytes=8-500").header("Content-Range") == "bytes 8-9/10");

  const auto unsatisfiable = part("bytes=10-");
  CHECK(unsatisfiable.status == 416);
  CHECK(unsatisfiable.header("Content-Range") == "bytes */10");
  CHECK(unsatisfiable.body.find("the file has 10 bytes") != std::string::npos);

  const auto two = part("bytes=0-1,50-60,8-9");
  CHECK(two.status == 206);
  CHECK(two.header("Content-Type").find("multipart/byteranges; boundary=") == 0);
  CHECK(two.body.find("Content-Range: bytes 0-1/10\r\n\r\n01\r\n") != std::string::npos);
  CHECK(two.body.find("Content-Range: bytes 8-9/10\r\n\r\n89\r\n") != std::string::npos);

  CHECK(part("bytes=2-4", {{"If-Range", response.header("ETag")}}).status == 206);
  CHECK(part("bytes=2-4", {{"If-Range", "\"other\""}}).body == "0123456789");
  CHECK(c.head("/digits.txt", {{"Range", "bytes=2-4"}}).status == 200);
  CHECK(c.get("/empty.txt", {{"Range", "bytes=0-"}}).status == 416);
}

TEST_CASE("a client that accepts gzip receives the .gz file, with a different ETag") {
  public_folder folder;
  auto app = [&](service& svc) { svc.files("/", folder.text()); };
  client c(app);
  const auto compressed = c.get("/css/site.css", {{"Accept-Encoding", "gzip"}});
  const auto plain = c.get("/css/site.css");
  CHECK(compressed.body == "packed");
  CHECK(compressed.header("Content-Encoding") == "gzip");
  CHECK(compressed.header("Content-Type") == "text/css; charset=utf-8");
  CHECK(plain.body == "body {}");
  CHECK(plain.header("Content-Encoding").empty());
  CHECK(compressed.header("Vary") == "Accept-Encoding");
  CHECK(plain.header("Vary") == "Accept-Encoding");
  CHECK(compressed.header("ETag") != plain.header("ETag"));
}

TEST_CASE("a path without a file and without an extension serves the fallback") {
  public_folder folder;
  auto app = [&](service& svc) {
    svc.files("/", folder.text(), {"index.html", "index.html"});
    svc.get("/api/x", [] { return "api"; });
  };
  client c(app);
  CHECK(c.get("/users/7").body == "<h1>here</h1>");
  CHECK(c.get("/users/7").status == 200);
  CHECK(c.get("/users/").body == "<h1>here</h1>");
  CHECK(c.get("/users/7.js").status == 404);
  CHECK(c.get("/.env").status == 404);
  CHECK(c.get("/api/x").body == "api");
}

TEST_CASE("a group serves folders under its prefix, with its middleware") {
  public_folder folder;
  auto app = [&](service& svc) {
    svc.group("/in", [&](route_group& g) {
      g.use([](const winsvc::request& req, winsvc::response&, const winsvc::next_handler& next) {
        if (!req.has_header("X-Key")) winsvc::abort(401);
        next();
      });
      g.files("/files", folder.text()).files("/", folder.text());
    });
  };
  client c(app);
  CHECK(c.get("/in/files/digits.txt").status == 401);
  CHECK(c.get("/in/files/digits.txt", {{"X-Key", "k"}}).body == "0123456789");
  CHECK(c.get("/in/digits.txt", {{"X-Key", "k"}}).body == "0123456789");
  CHECK(c.get("/in/", {{"X-Key", "k"}}).body == "<h1>here</h1>");
}

TEST_CASE("a missing folder is reported at start, and its paths are 404 until it exists") {
  public_folder parent;
  const std::string later = (parent.path / "later").u8string();
  auto app = [&](service& svc) { svc.files("/later", later); };
  winsvc::testing::simulated_scm scm;
  scm.data_folder = (parent.path / "data").u8string();
  scm.start(app);
  CHECK(scm.state() == winsvc::detail::scm::state::running);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  const auto log = winsvc::detail::os::read_file(scm.data_folder + "/logs/simulated.log").value_or("");
  CHECK(log.find("files '/later' (") != std::string::npos);
  CHECK(log.find("does not exist; its paths return 404 until it exists") != std::string::npos);

  client c(app);
  CHECK(c.get("/later/a.txt").status == 404);
  parent.write("later/a.txt", "now");
  CHECK(c.get("/later/a.txt").body == "now");
}

TEST_CASE("a handler can respond with a file, and name it for the browser") {
  public_folder folder;
  auto app = [&](service& svc) {
    svc.get("/show", [&] { return reply::file((folder.path / "digits.txt").u8string()); });
    svc.get("/save",
            [&] { return reply::file((folder.path / "digits.txt").u8string(), "r\xC3\xA9sum\xC3\xA9 \"1\".txt"); });
    svc.get("/none", [&] { return reply::file((folder.path / "none").u8string()); });
    svc.get("/folder", [&] { return reply::file(folder.text()); });
  };
  client c(app);
  CHECK(c.get("/show").body == "0123456789");
  CHECK(c.get("/show", {{"Range", "bytes=0-0"}}).body == "0");
  CHECK(c.get("/show").header("Content-Disposition").empty());
  CHECK(c.get("/save").header("Content-Disposition") ==
        "attachment; filename=\"r_sum_ _1_.txt\"; filename*=UTF-8''r%C3%A9sum%C3%A9%20%221%22.txt");
  CHECK(c.get("/none").status == 404);
  CHECK(c.get("/folder").status == 404);
}

TEST_CASE("a file that becomes shorter while it is sent ends the connection") {
  public_folder folder;
  const std::string big(300'000, 'x');
  folder.write("big.bin", big);
  auto app = [&](service& svc) {
    svc.use([&](const winsvc::request&, winsvc::response&, const winsvc::next_handler& next) {
      next();
      fs::resize_file(folder.path / "big.bin", 100'000);  // after the file was opened, before it is sent
    });
    svc.files("/", folder.text());
  };
  client c(app);
  const std::string output =
      c.raw("GET /big.bin HTTP/1.1\r\nHost: t\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(output.find("Content-Length: 300000\r\n") != std::string::npos);
  CHECK(output.size() < 101'000);
  CHECK(output.find("0123456789") == std::string::npos);  // no second response
}
