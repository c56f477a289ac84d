// Routes of the to-do list: two resources and their registration.
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "views.hpp"

using winsvc::json;

namespace {

std::mutex mutex;
std::map<int, std::string> tasks;  // by id

struct item {
  std::string task;
};
WINSVC_TYPE(item, task)

json task_json(int id) { return {{"id", id}, {"task", tasks.at(id)}}; }

struct todo {
  std::optional<json> get(int id) const {
    const std::lock_guard lock(mutex);
    if (tasks.count(id) == 0) return std::nullopt;  // 404
    return task_json(id);
  }
  winsvc::reply del(int id) const {
    const std::lock_guard lock(mutex);
    tasks.erase(id);
    return winsvc::reply(204);
  }
};

struct todo_list {
  winsvc::logger& log;

  json get() const {
    const std::lock_guard lock(mutex);
    auto list = json::array();
    for (const auto& [id, task] : tasks) list.push_back(task_json(id));
    return list;
  }
  winsvc::reply post(const winsvc::request& req, winsvc::body<item> new_item) const {
    const std::lock_guard lock(mutex);
    const int id = tasks.empty() ? 1 : tasks.rbegin()->first + 1;
    tasks[id] = new_item->task;
    log.info("to-do " + std::to_string(id) + ": " + new_item->task);
    return winsvc::reply::json(task_json(id), 201).header("Location", winsvc::url_for(req, "todo", id));
  }
};

}  // namespace

void add_todo_routes(winsvc::service& svc) {
  svc.get("/", [] {
    const std::lock_guard lock(mutex);
    return std::to_string(tasks.size()) + " to do";
  });
  svc.resource<todo>("/todos/{id}").name("todo");
  svc.resource("/todos", std::make_shared<todo_list>(todo_list{svc.log()}));
}
