// REST API: a to-do list with JSON, after the Flask-RESTful tutorial. The state is in the object of the app.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/rest.cpp winsvc-mingw.o -o rest.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/rest.cpp winsvc.o -o rest
//   cl /std:c++17 /EHsc /O2 /DWINSVC_SEPARATE=1 /I single_include /I build\deps\include examples\rest.cpp winsvc.obj    (not run here: there is no cl)
//
//   It requires <nlohmann/json.hpp>, which is in the same folder as httplib.h here.
//
//   $ ./rest debug &
//   $ curl http://127.0.0.1:5002/todos
//   [{"done":false,"id":1,"task":"build an API"},{"done":false,"id":2,"task":"install it as a service"}]
//   $ curl --json '{"task":"learn"}' http://127.0.0.1:5002/todos
//   {"done":false,"id":3,"task":"learn"}
//   $ curl -X PUT --json '{"task":"learn","done":true}' http://127.0.0.1:5002/todos/3
//   {"done":true,"id":3,"task":"learn"}
//   $ curl --json '{"task":7}' http://127.0.0.1:5002/todos
//   {"title":"Unprocessable Content","status":422,"detail":"the body does not have the expected shape: /task: must be text, but is 7","errors":[{"in":"body","pointer":"/task","detail":"must be text, but is 7"}]}
//   $ curl -X DELETE http://127.0.0.1:5002/todos/3
//   $ curl http://127.0.0.1:5002/todos/3
//   {"title":"Not Found","status":404}
#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <winsvc.hpp>

struct todo {
  std::string task;
  bool done = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(todo, task, done)

/// App can be a type. Its object exists until the service ends, and contains the state.
struct App {
  std::mutex mutex;
  std::map<int, todo> todos{{1, {"build an API"}}, {2, {"install it as a service"}}};
  int next_id = 3;

  explicit App(winsvc::service& svc) {
    svc.name("todos").display_name("To-do list").description("An in-memory to-do API").listen("127.0.0.1", 5002);

    svc.get("/todos", [this] {
      const std::lock_guard lock(mutex);
      auto list = winsvc::json::array();
      for (const auto& [id, item] : todos) list.push_back(todo_json(id, item));
      return list;
    });
    svc.post("/todos", [this](winsvc::body<todo> item) {
      if (item->task.empty()) winsvc::abort(422, "a to-do needs a 'task'");
      const std::lock_guard lock(mutex);
      const int id = next_id++;
      todos[id] = *item;
      return winsvc::reply::json(todo_json(id, *item), 201).header("Location", "/todos/" + std::to_string(id));
    });
    svc.get("/todos/{id}", [this](int id) -> std::optional<winsvc::json> {
      const std::lock_guard lock(mutex);
      const auto found = todos.find(id);
      if (found == todos.end()) return std::nullopt;  // 404
      return todo_json(id, found->second);
    });
    svc.put("/todos/{id}", [this](int id, winsvc::body<todo> item) {
      const std::lock_guard lock(mutex);
      const bool created = todos.insert_or_assign(id, *item).second;
      next_id = (std::max)(next_id, id + 1);
      return std::pair(created ? 201 : 200, todo_json(id, *item));
    });
    svc.del("/todos/{id}", [this](int id) {
      const std::lock_guard lock(mutex);
      if (todos.erase(id) == 0) winsvc::abort(404);
      return winsvc::reply(204);
    });
  }

  static winsvc::json todo_json(int id, const todo& item) {
    winsvc::json value = item;
    value["id"] = id;
    return value;
  }
};
WINSVC_MAIN(App)
