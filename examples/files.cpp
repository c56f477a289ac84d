// Static files: a folder next to the program as a web site, and a file for download.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
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
// If `site.css.gz` exists next to `site.css`, clients that accept gzip receive the compressed file. If the folder does
// not exist, the log has a warning, and all its paths are 404.
#include <winsvc.hpp>

#include <string>

void App(winsvc::service& svc) {
  svc.name("files").listen("127.0.0.1", 5016).access_log();
  svc.use(winsvc::security_headers());

  // A path without a file name extension that matches no file gets index.html, for pages that route in the browser.
  winsvc::file_options site;
  site.fallback = "index.html";
  site.cache_control = "no-cache";  // browsers revalidate each time, and usually get 304
  svc.files("/", "public", site);

  svc.get("/report", [] { return winsvc::reply::file("public/data.csv", "report.csv"); });
}
WINSVC_MAIN(App)
