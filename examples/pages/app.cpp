// Pages from template files, with ctemplate (Debian: libctemplate-dev), which escapes each value for its place in the
// page: a list of links. The templates are in the folder `templates` next to the program and are checked at start.
//
// winsvc.o is the compiled part of winsvc; the comment in hello.cpp has its command line.
//
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Iadapters -Ibuild/deps/include examples/pages/app.cpp winsvc.o -o pages -lctemplate -pthread
//
//   $ cp -r examples/pages/templates .
//   $ ./pages debug &
//   $ curl -d 'name=anna' -d 'link=javascript:alert(1)' http://127.0.0.1:5018/
//   $ curl http://127.0.0.1:5018/            the template engine has replaced the unsafe link by #
#include <winsvc.hpp>

#include <winsvc/ctemplate.hpp>  // adapters/winsvc/ctemplate.hpp

#include <mutex>

struct entry {
  std::string name, link;
};
WINSVC_TYPE(entry, (name, at_least(1), at_most(50)), link)

struct link_list {
  std::mutex mutex;
  std::vector<entry> entries;
};

void App(winsvc::service& svc) {
  svc.name("pages").description("A list of links").listen("127.0.0.1", 5018);
  svc.templates(std::make_shared<winsvc::ctemplate_engine>("templates")).provide(std::make_shared<link_list>());

  svc.get("/", [](winsvc::template_engine& pages, link_list& book) {
    const std::lock_guard lock(book.mutex);
    return pages.render("index.html", {{"title", "Names & links"}, {"entries", book.entries}});
  }).name("index");
  svc.post("/", winsvc::form("name", winsvc::at_least(1)), winsvc::form("link", winsvc::default_value("")),
           [](const winsvc::request& req, link_list& book, std::string name, std::string link) {
             const std::lock_guard lock(book.mutex);
             book.entries.push_back({name, link});
             return winsvc::reply::to(req, "index");
           });
}
WINSVC_MAIN(App)
