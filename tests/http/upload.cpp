// Uploads: files in request bodies, through the test client, with real files.
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
namespace os = winsvc::detail::os;

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

/// Names of the temporary upload files of this process.
std::vector<std::string> leftovers() {
  std::vector<std::string> names;
  const std::string prefix = "upload-" + std::to_string(os::process_id()) + "-";
  for (const auto& name : *os::list_files(os::temporary_folder())) {
    if (name.compare(0, prefix.size(), prefix) == 0) names.push_back(name);
  }
  return names;
}
#define CHECK_NOTHING_LEFT() CHECK(leftovers() == std::vector<std::string>())

/// A path for save_to; the file is removed at the end.
struct target_file {
  std::string path = os::path_join(os::temporary_folder(), "winsvc-saved-" + std::to_string(os::process_id()));
  target_file() = default;
  ~target_file() { os::remove_file(path); }
  target_file(const target_file&) = delete;
  target_file& operator=(const target_file&) = delete;
};

/// One line for each file: "name|file name|type|size=content".
std::string describe(const upload& sent) {
  std::string text;
  for (const auto& f : sent.files()) {
    text += f.name() + '|' + f.file_name() + '|' + f.content_type() + '|' + std::to_string(f.size()) + '=' +
            os::read_file(f.path()).value_or("(missing)") + '\n';
  }
  return text;
}

void describe_app(service& svc) {
  svc.any("/", [](upload sent) { return describe(sent); }).limit_body(10000).limit_file(5000);
}

}  // namespace

TEST_CASE("the files of a form are on the disk while the handler runs, its fields are values") {
  std::string path;
  auto app = [&path](service& svc) {
    svc.post("/", [&path](const request& req, upload sent) {
      path = sent.file("photo").path();
      return describe(sent) + winsvc::form<std::string>(req, "title") + std::to_string(winsvc::form<int>(req, "year"));
    });
  };
  client c(app);
  const auto response = c.post("/", field("title", "holiday") + file("photo", "a.jpg", "bytes\r\nof it", "image/jpeg") +
                                 field("year", "1999") + file("more", "b.txt", "") + "--B--\r\n", form_type);
  CHECK(response.status == 200);
  CHECK(response.body == "photo|a.jpg|image/jpeg|12=bytes\r\nof it\nmore|b.txt|text/plain|0=\nholiday1999");
  CHECK_FALSE(path.empty());
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a body that is not a form becomes one file") {
  client c(describe_app);
  CHECK(c.put("/", "the bytes", "application/pdf").body == "|file|application/pdf|9=the bytes\n");
  CHECK(c.request("PUT", "/", {}, "x").body == "|file|application/octet-stream|1=x\n");
  CHECK(c.request("POST", "/", {{"Transfer-Encoding", "chunked"}}).status == 400);
  CHECK(c.raw("PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            .find("|5=abcde\n") != std::string::npos);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a request without a body has no files") {
  auto app = [](service& svc) {
    svc.any("/all", [](upload sent) { return std::to_string(sent.files().size()); });
    svc.put("/body", [](upload sent) { return sent.body().path(); });
  };
  client c(app);
  CHECK(c.get("/all").body == "0");
  CHECK(c.request("POST", "/all").body == "0");
  const auto response = c.request("PUT", "/body");
  CHECK(response.status == 400);
  CHECK(response.body.find("the file is missing; send it as the request body, not as a form") != std::string::npos);
}

TEST_CASE("a saved file replaces an older one and stays") {
  target_file target;
  auto app = [&target](service& svc) {
    svc.post("/", [&target](upload sent) {
      auto& f = sent.file("f");
      f.save_to(target.path);
      return f.path() == target.path ? "saved" : "elsewhere";
    });
  };
  client c(app);
  for (const char* content : {"old", "new"}) {
    CHECK(c.post("/", file("f", "x", content) + "--B--", form_type).body == "saved");
    CHECK(os::read_file(target.path) == content);
  }
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a file that is moved out of the request exists as long as its object") {
  std::optional<winsvc::uploaded_file> saved;
  auto app = [&saved](service& svc) {
    svc.post("/", [&saved](upload sent) { saved = std::move(sent.file("f")); });
  };
  client c(app);
  c.post("/", file("f", "x", "later") + "--B--", form_type);
  REQUIRE(saved);
  CHECK(os::read_file(saved->path()) == "later");
  CHECK(leftovers().size() == 1);
  saved.reset();
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a client's file name is never used as a path") {
  client c(describe_app);
  CHECK(c.post("/", file("f", "../../etc/passwd", "x") + "--B--", form_type).body == "f|passwd|text/plain|1=x\n");
  CHECK(c.post("/", file("f", "C:\\temp\\nul.txt", "x") + "--B--", form_type).body == "f|_nul.txt|text/plain|1=x\n");
}

TEST_CASE("a file field without a selected file is ignored") {
  client c(describe_app);
  CHECK(c.post("/", file("f", "", "", "application/octet-stream") + "--B--", form_type).body.empty());
  CHECK(c.post("/", file("f", "", "x") + "--B--", form_type).body == "f|file|text/plain|1=x\n");  // content, no name
}

TEST_CASE("a missing file is a 400 that names it") {
  auto app = [](service& svc) { svc.post("/", [](upload sent) { return sent.file("photo").path(); }); };
  client c(app);
  for (const auto& request_body : {field("photo", "text"), file("other", "x", "x")}) {
    const auto response = c.post("/", request_body + "--B--", form_type);
    CHECK(response.status == 400);
    CHECK(response.body.find("the file 'photo' is missing; send it as a part of a multipart/form-data body") !=
          std::string::npos);
  }
  CHECK(c.post("/", "photo=x", "application/x-www-form-urlencoded").status == 400);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("an upload over a limit is 413 with the limit, and leaves no file") {
  client c(describe_app);
  const auto check_rejected = [&c](const std::string& body, const std::string& type, const std::string& reason) {
    CAPTURE(reason);
    const auto response = c.post("/", body, type);
    CHECK(response.status == 413);
    CHECK(response.body.find(reason) != std::string::npos);
    CHECK(response.header("Connection") == "close");
    CHECK_NOTHING_LEFT();
  };
  const std::string too_large_file(5001, 'x'), too_large_body(10001, 'x');
  check_rejected(too_large_body, "application/pdf", "the body is larger than 10000 bytes");
  check_rejected(too_large_file, "application/pdf", "the file 'file' is larger than 5000 bytes");
  check_rejected(file("a", "a", "small") + file("b", "b.bin", too_large_file) + "--B--", form_type,
          "the file 'b.bin' is larger than 5000 bytes");
  CHECK(c.post("/", std::string(5000, 'x'), "a/b").status == 200);
  CHECK(c.log().empty());  // an error of the client is not logged
}

TEST_CASE("the limit of a chunked upload applies while it arrives") {
  client c(describe_app);
  std::string bytes = "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: " + form_type +
                      "\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& part : {file("a", "a", std::string(4900, 'x')), file("b", "b", std::string(4900, 'x')),
                           file("c", "c", std::string(4900, 'x'))}) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    bytes += size + part + "\r\n";
  }
  auto output = c.raw(bytes + "7\r\n--B--\r\n\r\n0\r\n\r\n");
  CHECK(winsvc::testing::parse_response(output).status == 413);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("more than 1024 parts, or more than 1 MiB of fields, is 413") {
  auto app = [](service& svc) {
    svc.post("/", [](upload sent) { return std::to_string(sent.files().size()); });
  };
  client c(app);
  std::string parts;
  for (int i = 0; i < 1024; ++i) parts += field("f", "");
  CHECK(c.post("/", parts + "--B--", form_type).status == 200);
  auto response = c.post("/", parts + file("f", "x", "x") + "--B--", form_type);
  CHECK(response.status == 413);
  CHECK(response.body.find("the form has more than 1024 parts") != std::string::npos);

  const std::string text(1024 * 1024 + 1, 'x');
  for (const auto& [body, type] : {std::pair(field("a", text) + "--B--", form_type),
                                   std::pair("a=" + text, std::string("application/x-www-form-urlencoded"))}) {
    response = c.post("/", body, type);
    CHECK(response.status == 413);
    CHECK(response.body.find("the form fields are larger than 1 MiB in total") != std::string::npos);
  }
  CHECK(c.post("/", file("f", "x", text) + "--B--", form_type).body == "1");
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a malformed form is 400, and leaves no file") {
  client c(describe_app);
  const auto check_rejected = [&c](const std::string& body, const std::string& type, const std::string& reason) {
    CAPTURE(body);
    const auto response = c.post("/", body, type);
    CHECK(response.status == 400);
    CHECK(response.body.find(reason) != std::string::npos);
    CHECK_NOTHING_LEFT();
  };
  check_rejected("x", "multipart/form-data", "the form has no boundary in its Content-Type");
  check_rejected("no parts at all", form_type, "the form ends before its closing boundary");
  check_rejected(file("a", "a", "content"), form_type, "the form ends before its closing boundary");
  check_rejected(file("a", "a", "content") + "--B\r\nbad\r\n\r\n--B--", form_type,
                 "the body is not a valid multipart form");
}

TEST_CASE("a client that closes during an upload leaves no file, and the handler is not called") {
  bool called = false;
  auto app = [&called](service& svc) { svc.post("/", [&called](upload) { called = true; }); };
  client c(app);
  const std::string output = c.raw("POST / HTTP/1.1\r\nHost: test\r\nContent-Type: " + form_type +
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

TEST_CASE("a middleware that rejects a request runs before the upload") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler&) { res.status = 401; });
    svc.post("/", [](upload) { return "never"; });
  };
  client c(app);
  // The body is incomplete: an engine that waits for the rest would find the connection closed.
  auto output = c.raw("POST / HTTP/1.1\r\nHost: test\r\nContent-Type: a/b\r\nContent-Length: 100000\r\n\r\nsome");
  CHECK(winsvc::testing::parse_response(output).status == 401);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("a connection serves the next request after an upload") {
  client c(describe_app);
  const std::string body = file("a", "a", "x") + "--B--\r\n";
  const std::string upload_request = "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: " + form_type +
                          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  auto output = c.raw(upload_request + upload_request);
  CHECK(winsvc::testing::parse_response(output).body == "a|a|text/plain|1=x\n");
  CHECK(winsvc::testing::parse_response(output).body == "a|a|text/plain|1=x\n");
}

TEST_CASE("save_to a missing folder is a logged 500 without details for the client") {
  auto app = [](service& svc) {
    svc.post("/", [](upload sent) { sent.file("a").save_to("/no such folder/a"); });
  };
  client c(app);
  const auto response = c.post("/", file("a", "a", "x") + "--B--", form_type);
  CHECK(response.status == 500);
  CHECK(response.body.find("no such folder") == std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("save the uploaded file as '/no such folder/a': ") != std::string::npos);
  CHECK_NOTHING_LEFT();
}

TEST_CASE("the data folder is created when it is requested") {
  auto app = [](service& svc) {
    svc.post("/", [&svc](upload sent) {
      const std::string path = os::path_join(svc.data_folder(), "kept");
      sent.body().save_to(path);
      return path;
    });
  };
  client c(app);
  const std::string path = c.post("/", "x", "a/b").body;
  CHECK(path.find(os::temporary_folder()) == 0);  // of the test client; a service has its own folder
  CHECK(os::read_file(path) == "x");
  std::filesystem::remove_all(std::filesystem::u8path(path).parent_path());
}

TEST_CASE("the OpenAPI description of an upload has multipart/form-data") {
  auto app = [](service& svc) {
    svc.post("/", [](upload) { return ""; });
    svc.openapi();
  };
  client c(app);
  CHECK(c.get("/openapi.json").body.find("multipart/form-data") != std::string::npos);
}

TEST_CASE("stale uploads of ended processes are removed, other files are not") {
  const std::string folder = os::path_join(os::temporary_folder(), "winsvc-old-" + std::to_string(os::process_id()));
  REQUIRE(os::make_folders(folder));
  const std::string stale = "upload-2147483644-abc-1.part", own = winsvc::detail::http::temporary_upload_name(),
                    other = "notes.txt";
  for (const auto& name : {stale, own, other}) REQUIRE(os::replace_file(os::path_join(folder, name), "x"));
  winsvc::detail::http::remove_stale_uploads(folder);
  CHECK(*os::list_files(folder) == std::vector<std::string>{other});
  std::filesystem::remove_all(std::filesystem::u8path(folder));
}

#if !defined(_WIN32)
TEST_CASE("a full disk is 507 and a line in the log, and leaves no file") {
  client c(describe_app);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit = {}, small_limit = {};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  small_limit = old_limit;
  small_limit.rlim_cur = 1000;
  ::setrlimit(RLIMIT_FSIZE, &small_limit);
  const auto response = c.post("/", file("a", "a", std::string(3000, 'x')) + "--B--", form_type);
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);

  CHECK(response.status == 507);
  CHECK(response.body.find("the disk is full") != std::string::npos);
  CHECK(response.body.find(os::temporary_folder()) == std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("write the uploaded file '") != std::string::npos);
  CHECK(c.log()[0].text.find("File too large (27)") != std::string::npos);
  CHECK_NOTHING_LEFT();
}
#endif
