// Upload: a page to upload files of any size and to list the uploaded files.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/upload.cpp winsvc-mingw.o -o upload.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/upload.cpp winsvc.o -o upload
//   cl /std:c++17 /EHsc /O2 /DWINSVC_SEPARATE=1 /I single_include /I build\deps\include examples\upload.cpp winsvc.obj    (not run here: there is no cl)
//
//   $ ./upload debug &
//   $ curl -F file=@report.pdf -F file=@scan.tiff http://127.0.0.1:5008/
//   $ curl http://127.0.0.1:5008/
//   ...
//   <li>4b1f02-1-report.pdf, 48213 bytes
//   <li>4b1f02-1-scan.tiff, 92004177 bytes
//   ...
//   The files are in the folder `inbox` in the data folder: %ProgramData%\upload or ~/.local/state/upload. The service
//   does not serve them, because an uploaded HTML page would run with the origin of this site.
#include <winsvc.hpp>

#include <filesystem>
#include <string>

namespace fs = std::filesystem;
using winsvc::html;

fs::path inbox(const winsvc::service& svc) {
  fs::path folder = fs::u8path(svc.data_folder()) / "inbox";
  fs::create_directories(folder);
  return folder;
}

void App(winsvc::service& svc) {
  svc.name("upload").display_name("Inbox").listen("127.0.0.1", 5008);
  svc.use(winsvc::same_origin());  // otherwise a page of another site could make a browser send the form

  svc.get("/", [&svc] {
    html list;
    for (const auto& file : fs::directory_iterator(inbox(svc)))
      list += html("<li>{}, {} bytes\n", file.path().filename().u8string(), file.file_size());
    return html("<!doctype html>\n<title>Inbox</title>\n"
                "<form method=post enctype=multipart/form-data>\n"
                "<input type=file name=file multiple required> <button>Upload</button>\n"
                "</form>\n<ul>\n{}</ul>\n", list);
  });

  svc.post("/", [&svc](const winsvc::request& req, winsvc::upload upload) {
    for (auto& file : upload.files()) {
      // The request ID makes the name unique, so that an upload cannot replace another file.
      const auto name = winsvc::context(req).id() + "-" + file.file_name();
      file.save_to((inbox(svc) / fs::u8path(name)).u8string());
      svc.log().info(name + ": " + std::to_string(file.size()) + " bytes");
    }
    return winsvc::reply::redirect("/", 303);
  }).limit_body(4'000'000'000).limit_file(2'000'000'000);
}
WINSVC_MAIN(App)
