// OpenAPI and Prometheus: a license server with an OpenAPI document for client generators and a metrics page.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/openapi.cpp winsvc-mingw.o -o openapi.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/openapi.cpp winsvc.o -o openapi
//   cl /std:c++17 /EHsc /O2 /DWINSVC_SEPARATE=1 /I single_include /I build\deps\include examples\openapi.cpp winsvc.obj    (not run here: there is no cl)
//
//   It requires <nlohmann/json.hpp>, which is in the same folder as httplib.h here.
//
//   $ ./openapi debug &
//   $ curl -i --json '{"user":"anna"}' http://127.0.0.1:5006/products/cad/seats
//   HTTP/1.1 201 Created
//   Location: /products/cad/seats/1
//   ...
//   {"product":"cad","seat":1,"user":"anna"}
//   $ curl -X DELETE http://127.0.0.1:5006/products/cad/seats/1
//   $ curl http://127.0.0.1:5006/openapi.json
//   {"openapi":"3.1.0","info":{"title":"Seats","version":"1.0","description":"Users of floating licenses"},...
//   $ curl http://127.0.0.1:5006/metrics
//   ...
//   http_requests_total{method="DELETE",route="/products/{product}/seats/{seat}",status="204"} 1
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <winsvc.hpp>

using winsvc::json;

struct checkout {
  std::string user;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(checkout, user)

struct product {
  unsigned seats;
  std::map<unsigned, std::string> taken;  // seat to user
};

const json seat_example = {{"product", "cad"}, {"seat", 1}, {"user", "anna"}};
const json seat_schema = {{"type", "object"},
                          {"properties",
                           {{"product", {{"type", "string"}}},
                            {"seat", {{"type", "integer"}, {"minimum", 1}}},
                            {"user", {{"type", "string"}}}}},
                          {"required", {"product", "seat", "user"}}};

struct App {
  std::mutex mutex;
  std::map<std::string, product> products{{"cad", {2, {}}}, {"render", {10, {}}}};

  product& find(const std::string& name) {
    const auto found = products.find(name);
    if (found == products.end()) winsvc::abort(404, "there is no product '" + name + "'");
    return found->second;
  }

  explicit App(winsvc::service& svc) {
    svc.name("seats").display_name("Seats").description("Users of floating licenses").version("1.0");
    svc.listen("127.0.0.1", 5006).openapi("/openapi.json").metrics("/metrics");

    svc.get("/products", [this](const winsvc::request& req) {
      const bool only_free = winsvc::query(req, "free", false);
      const std::lock_guard lock(mutex);
      auto list = json::array();
      for (const auto& [name, p] : products) {
        const auto free_seats = p.seats - p.taken.size();
        if (free_seats != 0 || !only_free)
          list.push_back({{"product", name}, {"free", free_seats}, {"seats", winsvc::url_for(req, "seats", name)}});
      }
      return list;
    }).name("products").tag("products").summary("All products with their free seats")
      .query("free", "only products with free seats", false)
      .returns(200, "The products").example({{{"product", "cad"}, {"free", 2}, {"seats", "/products/cad/seats"}}});

    svc.post("/products/{product}/seats", [this](const winsvc::request& req, std::string name,
                                                 winsvc::body<checkout> order) {
      const std::lock_guard lock(mutex);
      product& p = find(name);
      unsigned seat = 1;
      while (p.taken.count(seat) != 0) ++seat;
      if (seat > p.seats) winsvc::abort(409, "all " + std::to_string(p.seats) + " seats are taken");
      p.taken[seat] = order->user;
      return winsvc::reply::json({{"product", name}, {"seat", seat}, {"user", order->user}}, 201)
          .header("Location", winsvc::url_for(req, "seat", name, seat));
    }).name("seats").tag("seats").summary("Take a seat").limit_body(1024)
      .takes("The user of the seat").example({{"user", "anna"}})
      .returns(201, "The seat").schema(seat_schema).example(seat_example)
      .returns(409, "No seat is free", "application/problem+json");

    svc.get("/products/{product}/seats/{seat}", [this](std::string name, unsigned seat) -> std::optional<json> {
      const std::lock_guard lock(mutex);
      const product& p = find(name);
      const auto taken = p.taken.find(seat);
      if (taken == p.taken.end()) return std::nullopt;  // 404
      return json{{"product", name}, {"seat", seat}, {"user", taken->second}};
    }).name("seat").tag("seats").summary("The user of a seat").returns(200, "The seat").schema(seat_schema)
      .example(seat_example);

    svc.del("/products/{product}/seats/{seat}", [this](std::string name, unsigned seat) {
      const std::lock_guard lock(mutex);
      if (find(name).taken.erase(seat) == 0) winsvc::abort(404, "this seat is not taken");
      return winsvc::reply(204);
    }).name("give_back").tag("seats").summary("Give a seat back").returns(204, "The seat is free");
  }
};
WINSVC_MAIN(App)
