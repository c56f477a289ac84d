// Files that requests bring: through the client, as in production, with real files.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#if !defined(_WIN32)
  #include <csignal>
  #include <sys/resource.h>
#endif

using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::upload;
using winsvc::testing::client;
namespace os = winsvc::os;

namespace {

const std::string form_type = "multipart/form-data; boundary=B";

std::string field(const std::string& name, const std::string& value) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}
std::string file(const std::string& name, const std::string& file_name, const std::string& content,
                 const std::string& type = "text/plain") {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + file_name +
         "\"\r\nContent-Type: " + type + "\r\n\r\n" + content + "\r\n";
}

/// The temporary files of this process that are there.
std::vector<std::string> leftovers() {
  std::vector<std::string> out;
  const std::string own = "upload-" + std::to_string(os::process_id()) + "-";
  for (const auto& name : *os::list_files(os::temporary_folder())) {
    if (name.compare(0, own.size(), own) == 0) out.push_back(name);
  }
  return out;
}
#define CHECK_NOTHING_LEFT() CHECK(leftovers() == std::vector<std::string>())

/// A path to save to, removed at the end.
struct target {
  std::string path = os::path_join(os::temporary_folder(), "winsvc-saved-" + std::to_string(os::process_id()));
  target() = default;
  ~target() { os::remove_file(path); }
  target(const target&) = delete;
  target& operator=(const target&) = delete;
};

/// What every file is: "name|file name|type|size=content".
std::string told(const upload& sent) {
  std::string out;
  for (const auto& f : sent.files()) {
    out += f.name() + '|' + f.file_name() + '|' + f.content_type() + '|' + std::to_string(f.size()) + '=' +
           os::read_file(f.path()).value_or("(gone)") + '\n';
  }
  return out;
}

void tells(service& svc) {
  svc.any("/", [](upload sent) { return told(sent); }).limit_body(10000).limit_file(5000);
}

}  // namespace

TEST_CASE("a form's files are on the disk when the handler runs, its fields are values, and afterwards nothing is left") {
  std::string path;
  auto app = [&path](service& svc) {
    svc.post("/", [&path](const request& req, upload sent) {
      path = sent.file("photo").path();
      return told(sent) + winsvc::form<std::string>(req, "title") + std::to_string(winsvc::form<int>(req, "year"));
    });
  };
  client c(app);
  const auto r = c.post("/", field("title", "holiday") + file("photo", "a.jpg", "bytes\r\nof it", "image/jpeg") +
                                 field("year", "1999") + file("more", "b.txt", "") + "--B--\r\n", form_type);
  CHECK(r.status == 200);
  CHECK(r.body == "photo|a.jpg|image/jpeg|12=bytes\r\nof it\nmore|b.txt|text/plain|0=\nholiday1999");
  CHECK_FALSE(path.empty());
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a body that is no form is one file") {
  client c(tells);
  CHECK(c.put("/", "the bytes", "application/pdf").body == "|file|application/pdf|9=the bytes\n");
  CHECK(c.request("PUT", "/", {}, "x").body == "|file|application/octet-stream|1=x\n");
  CHECK(c.request("POST", "/", {{"Transfer-Encoding", "chunked"}}).status == 400);
  CHECK(c.raw("PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            .find("|5=abcde\n") != std::string::npos);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a request without a body brings no files") {
  auto app = [](service& svc) {
    svc.any("/all", [](upload sent) { return std::to_string(sent.files().size()); });
    svc.put("/body", [](upload sent) { return sent.body().path(); });
  };
  client c(app);
  CHECK(c.get("/all").body == "0");
  CHECK(c.request("POST", "/all").body == "0");
  const auto r = c.request("PUT", "/body");
  CHECK(r.status == 400);
  CHECK(r.body.find("the file is missing; send it as the request body, not as a form") != std::string::npos);
}

TEST_CASE("a saved file is at its place, over an older one, and stays") {
  target to;
  auto app = [&to](service& svc) {
    svc.post("/", [&to](upload sent) {
      auto& f = sent.file("f");
      f.save_to(to.path);
      return f.path() == to.path ? "saved" : "elsewhere";
    });
  };
  client c(app);
  for (const char* content : {"old", "new"}) {
    CHECK(c.post("/", file("f", "x", content) + "--B--", form_type).body == "saved");
    CHECK(os::read_file(to.path) == content);
  }
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a file that was moved out of the request outlives it, and no longer than that") {
  std::optional<winsvc::uploaded_file> kept;
  auto app = [&kept](service& svc) {
    svc.post("/", [&kept](upload sent) { kept = std::move(sent.file("f")); });
  };
  client c(app);
  c.post("/", file("f", "x", "later") + "--B--", form_type);
  REQUIRE(kept);
  CHECK(os::read_file(kept->path()) == "later");
  CHECK(leftovers().size() == 1);
  kept.reset();
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a client's file name is never a path") {
  client c(tells);
  CHECK(c.post("/", file("f", "../../etc/passwd", "x") + "--B--", form_type).body == "f|passwd|text/plain|1=x\n");
  CHECK(c.post("/", file("f", "C:\\temp\\nul.txt", "x") + "--B--", form_type).body == "f|_nul.txt|text/plain|1=x\n");
}

TEST_CASE("a file field that was not filled in is no file") {
  client c(tells);
  CHECK(c.post("/", file("f", "", "", "application/octet-stream") + "--B--", form_type).body.empty());
  CHECK(c.post("/", file("f", "", "x") + "--B--", form_type).body == "f|file|text/plain|1=x\n");  // a nameless one is
}

TEST_CASE("a file that is asked for and was not sent is a 400 that names it") {
  auto app = [](service& svc) { svc.post("/", [](upload sent) { return sent.file("photo").path(); }); };
  client c(app);
  for (const auto& body : {field("photo", "text"), file("other", "x", "x")}) {
    const auto r = c.post("/", body + "--B--", form_type);
    CHECK(r.status == 400);
    CHECK(r.body.find("the file 'photo' is missing; send it as a part of a multipart/form-data body") !=
          std::string::npos);
  }
  CHECK(c.post("/", "photo=x", "application/x-www-form-urlencoded").status == 400);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("what is larger than its limit is 413 with a sentence, and leaves nothing") {
  client c(tells);
  const auto refused = [&c](const std::string& body, const std::string& type, const std::string& reason) {
    CAPTURE(reason);
    const auto r = c.post("/", body, type);
    CHECK(r.status == 413);
    CHECK(r.body.find(reason) != std::string::npos);
    CHECK(r.header("Connection") == "close");
    CHECK_NOTHING_LEFT();
  };
  const std::string large(5001, 'x'), whole(10001, 'x');
  refused(whole, "application/pdf", "the body is larger than 10000 bytes");
  refused(large, "application/pdf", "the file 'file' is larger than 5000 bytes");
  refused(file("a", "a", "small") + file("b", "b.bin", large) + "--B--", form_type,
          "the file 'b.bin' is larger than 5000 bytes");
  CHECK(c.post("/", std::string(5000, 'x'), "a/b").status == 200);
  CHECK(c.log().empty());  // the client's doing, and no news for us
}

TEST_CASE("a body in chunks is held to the same limit while it comes") {
  client c(tells);
  std::string bytes = "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: " + form_type +
                      "\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& part : {file("a", "a", std::string(4900, 'x')), file("b", "b", std::string(4900, 'x')),
                           file("c", "c", std::string(4900, 'x'))}) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    bytes += size + part + "\r\n";
  }
  auto out = c.raw(bytes + "7\r\n--B--\r\n\r\n0\r\n\r\n");
  CHECK(winsvc::testing::parse_response(out).status == 413);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("more parts than 1,024, and fields of more than 1 MiB, are 413") {
  auto app = [](service& svc) {
    svc.post("/", [](upload sent) { return std::to_string(sent.files().size()); });
  };
  client c(app);
  std::string parts;
  for (int i = 0; i < 1024; ++i) parts += field("f", "");
  CHECK(c.post("/", parts + "--B--", form_type).status == 200);
  auto r = c.post("/", parts + file("f", "x", "x") + "--B--", form_type);
  CHECK(r.status == 413);
  CHECK(r.body.find("the form has more than 1024 parts") != std::string::npos);

  const std::string text(1024 * 1024 + 1, 'x');
  for (const auto& [body, type] : {std::pair(field("a", text) + "--B--", form_type),
                                   std::pair("a=" + text, std::string("application/x-www-form-urlencoded"))}) {
    r = c.post("/", body, type);
    CHECK(r.status == 413);
    CHECK(r.body.find("the form's fields are larger than 1 MiB together") != std::string::npos);
  }
  CHECK(c.post("/", file("f", "x", text) + "--B--", form_type).body == "1");
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a form that is none is 400, and leaves nothing") {
  client c(tells);
  const auto refused = [&c](const std::string& body, const std::string& type, const std::string& reason) {
    CAPTURE(body);
    const auto r = c.post("/", body, type);
    CHECK(r.status == 400);
    CHECK(r.body.find(reason) != std::string::npos);
    CHECK_NOTHING_LEFT();
  };
  refused("x", "multipart/form-data", "the form has no boundary in its Content-Type");
  refused("no parts at all", form_type, "the form ends before its last part does");
  refused(file("a", "a", "content"), form_type, "the form ends before its last part does");
  refused(file("a", "a", "content") + "--B\r\nbad\r\n\r\n--B--", form_type,
          "the body is no form as its Content-Type says");
}

TEST_CASE("a client that leaves while it sends has no answer, and leaves nothing") {
  bool called = false;
  auto app = [&called](service& svc) { svc.post("/", [&called](upload) { called = true; }); };
  client c(app);
  const std::string out = c.raw("POST / HTTP/1.1\r\nHost: test\r\nContent-Type: " + form_type +
                                "\r\nContent-Length: 100000\r\n\r\n" + file("a", "a", std::string(50000, 'x')));
  CHECK_FALSE(called);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a handler that throws or aborts leaves no file") {
  auto app = [](service& svc) {
    svc.post("/throws", [](upload) -> std::string { throw std::runtime_error("secret"); });
    svc.post("/aborts", [](upload) { winsvc::abort(409, "not now"); });
    svc.post("/{id}/converts", [](int id, upload) { return std::to_string(id); });
  };
  client c(app);
  const std::string body = file("a", "a", "x") + "--B--";
  CHECK(c.post("/throws", body, form_type).status == 500);
  CHECK_NOTHING_LEFT();
  CHECK(c.post("/aborts", body, form_type).status == 409);
  CHECK_NOTHING_LEFT();
  CHECK(c.post("/x/converts", body, form_type).status == 404);
  CHECK_NOTHING_LEFT();
  CHECK(c.post("/7/converts", body, form_type).body == "7");
}

TEST_CASE("a middleware that refuses comes before the upload") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler&) { res.status = 401; });
    svc.post("/", [](upload) { return "never"; });
  };
  client c(app);
  // Only a part of it is there: whoever waited for the rest would see the client gone.
  auto out = c.raw("POST / HTTP/1.1\r\nHost: test\r\nContent-Type: a/b\r\nContent-Length: 100000\r\n\r\nsome");
  CHECK(winsvc::testing::parse_response(out).status == 401);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("after an upload the connection serves the next request") {
  client c(tells);
  const std::string body = file("a", "a", "x") + "--B--\r\n";
  const std::string one = "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: " + form_type +
                          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  auto out = c.raw(one + one);
  CHECK(winsvc::testing::parse_response(out).body == "a|a|text/plain|1=x\n");
  CHECK(winsvc::testing::parse_response(out).body == "a|a|text/plain|1=x\n");
}

TEST_CASE("a place that is not there is a logged 500, which does not tell the client about it") {
  auto app = [](service& svc) {
    svc.post("/", [](upload sent) { sent.file("a").save_to("/no such folder/a"); });
  };
  client c(app);
  const auto r = c.post("/", file("a", "a", "x") + "--B--", form_type);
  CHECK(r.status == 500);
  CHECK(r.body.find("no such folder") == std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("save the uploaded file as '/no such folder/a': ") != std::string::npos);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("the data folder is made when it is asked for") {
  auto app = [](service& svc) {
    svc.post("/", [&svc](upload sent) {
      const std::string path = os::path_join(svc.data_folder(), "kept");
      sent.body().save_to(path);
      return path;
    });
  };
  client c(app);
  const std::string path = c.post("/", "x", "a/b").body;
  CHECK(path.find(os::temporary_folder()) == 0);  // of a client; a service has its own
  CHECK(os::read_file(path) == "x");
  std::filesystem::remove_all(std::filesystem::u8path(path).parent_path());
}

TEST_CASE("the description says that a route takes a form") {
  auto app = [](service& svc) {
    svc.post("/", [](upload) { return ""; });
    svc.openapi();
  };
  client c(app);
  CHECK(c.get("/openapi.json").body.find("multipart/form-data") != std::string::npos);
}

TEST_CASE("what a process that is gone has left is removed, and what is another's is not") {
  const std::string folder = os::path_join(os::temporary_folder(), "winsvc-old-" + std::to_string(os::process_id()));
  REQUIRE(os::make_folders(folder));
  const std::string gone = "upload-2147483644-abc-1.part", own = winsvc::http::temporary_name(), other = "notes.txt";
  for (const auto& name : {gone, own, other}) REQUIRE(os::replace_file(os::path_join(folder, name), "x"));
  winsvc::http::remove_stale_uploads(folder);
  CHECK(*os::list_files(folder) == std::vector<std::string>{other});
  std::filesystem::remove_all(std::filesystem::u8path(folder));
}

#if !defined(_WIN32)
TEST_CASE("a full disk is 507 with a sentence and a line in the log, and leaves nothing") {
  client c(tells);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old = {}, small = {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  small = old;
  small.rlim_cur = 1000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto r = c.post("/", file("a", "a", std::string(3000, 'x')) + "--B--", form_type);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);

  CHECK(r.status == 507);
  CHECK(r.body.find("there is no room to keep what was sent") != std::string::npos);
  CHECK(r.body.find(os::temporary_folder()) == std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("write the uploaded file '") != std::string::npos);
  CHECK(c.log()[0].text.find("File too large (27)") != std::string::npos);
  CHECK_NOTHING_LEFT();
}
#endif
