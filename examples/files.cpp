// Files: a folder beside the program as a web site, and what people may take away from it.
//
// winsvc.o and winsvc-mingw.o hold what winsvc compiles once; the head of hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/files.cpp winsvc-mingw.o -o files.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/files.cpp winsvc.o -o files
//
//   $ mkdir public && echo '<h1>It works</h1>' > public/index.html
//   $ ./files debug
//   $ curl http://127.0.0.1:5016/
//   <h1>It works</h1>
//   $ curl -i -r 0-3 http://127.0.0.1:5016/
//   HTTP/1.1 206 Partial Content
//   ...
//   $ curl -OJ http://127.0.0.1:5016/report        saves report.csv
//
// Put `site.css.gz` beside `site.css`, and browsers get that. Without the folder the log says so, and every path of it is 404.
#include <winsvc.hpp>

#include <string>

void App(winsvc::service& svc) {
  svc.name("files").listen("127.0.0.1", 5016).access_log();
  svc.use(winsvc::security_headers());

  // Paths without an ending that no file has get index.html: a page that routes in the browser finds itself there.
  winsvc::file_options site;
  site.fallback = "index.html";
  site.cache_control = "no-cache";  // asked for again each time, and answered with 304 mostly
  svc.files("/", "public", site);

  svc.get("/report", [] { return winsvc::reply::file("public/data.csv", "report.csv"); });
}
WINSVC_MAIN(App)
