// Notes in a SQLite database: create, read, update and delete over JSON. The start hook opens the database, and its
// cleanup function closes it after the last request.
//
// winsvc.o is the compiled part of winsvc; the comment in hello.cpp has its command line.
//
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/notes/app.cpp winsvc.o -o notes -lsqlite3
//
//   $ ./notes debug &
//   $ curl --json '{"title":"tea","text":"two minutes"}' http://127.0.0.1:5022/notes
//   {"id":1,"title":"tea","text":"two minutes"}
//   $ curl -X PUT --json '{"title":"tea","text":"three minutes"}' http://127.0.0.1:5022/notes/1
//   {"id":1,"title":"tea","text":"three minutes"}
//   $ curl http://127.0.0.1:5022/notes?q=tea
//   [{"id":1,"title":"tea","text":"three minutes"}]
//   $ curl -X DELETE http://127.0.0.1:5022/notes/1
//
// To compile for Windows, add sqlite3.c of the SQLite amalgamation, and omit -lsqlite3.
#include <winsvc.hpp>

#include <sqlite3.h>

#include <memory>
#include <mutex>

struct new_note {
  std::string title, text;
};
WINSVC_TYPE(new_note, (title, at_least(1)), (text, optional))

struct note : new_note {
  long long id = 0;
};
WINSVC_TYPE(note, id, title, text)

/// One statement: binds the parameters in their order, then returns the rows.
class statement {
 public:
  statement(sqlite3* database, const char* sql) : database_(database) {
    check(sqlite3_prepare_v2(database, sql, -1, &handle_, nullptr));
  }
  statement(const statement&) = delete;
  ~statement() { sqlite3_finalize(handle_); }

  statement& bind(const std::string& text) {
    check(sqlite3_bind_text64(handle_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
  }
  statement& bind(long long number) {
    check(sqlite3_bind_int64(handle_, ++bound_, number));
    return *this;
  }
  /// False after the last row.
  bool next() {
    const int code = sqlite3_step(handle_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) check(code);
    return code == SQLITE_ROW;
  }
  note row() const { return {{text(1), text(2)}, sqlite3_column_int64(handle_, 0)}; }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(std::string("sqlite: ") + sqlite3_errmsg(database_));
  }
  std::string text(int column) const {
    const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
  }
  sqlite3* database_;
  sqlite3_stmt* handle_ = nullptr;
  int bound_ = 0;
};

struct App {
  std::mutex mutex;  // handlers run on many threads, and a connection to the database serves one at a time
  sqlite3* database = nullptr;

  void open(const std::string& path) {
    if (sqlite3_open(path.c_str(), &database) != SQLITE_OK)
      throw std::runtime_error("cannot open '" + path + "': " + sqlite3_errmsg(database));
    sqlite3_busy_timeout(database, 2000);  // another program may use the file
    statement(database, "PRAGMA journal_mode = WAL").next();
    statement(database, "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT "
                        "NULL)").next();
  }

  explicit App(winsvc::service& svc) {
    svc.name("notes").description("Notes in a database").version("1.0").listen("127.0.0.1", 5022).openapi();
    auto path = svc.setting("database", "", "path of the database; empty: notes.db in the data folder", winsvc::at_start);
    svc.on_start([this, path, &svc] {
      open((*path).empty() ? svc.data_folder() + "/notes.db" : *path);
      return [this] { sqlite3_close(database); };
    });
    svc.ready("database", [this] {
      const std::lock_guard lock(mutex);
      return statement(database, "SELECT 1").next();
    });
    svc.group("/notes", [this](winsvc::route_group& notes) { add_routes(notes); });
  }

  void add_routes(winsvc::route_group& notes) {
    notes.get("/", winsvc::query("q", "text in the title"), [this](std::optional<std::string> q) {
      const std::lock_guard lock(mutex);
      statement find(database, "SELECT id, title, text FROM notes WHERE instr(title, ?) ORDER BY id LIMIT 100");
      find.bind(q.value_or(""));
      std::vector<note> found;
      while (find.next()) found.push_back(find.row());
      return found;
    });
    notes.post("/", [this](winsvc::body<new_note> given) {
      const std::lock_guard lock(mutex);
      statement(database, "INSERT INTO notes (title, text) VALUES (?, ?)").bind(given->title).bind(given->text).next();
      return std::pair(201, note{*given, sqlite3_last_insert_rowid(database)});
    });
    notes.get("/{id}", [this](long long id) -> std::optional<note> {
      const std::lock_guard lock(mutex);
      statement find(database, "SELECT id, title, text FROM notes WHERE id = ?");
      if (!find.bind(id).next()) return std::nullopt;  // 404
      return find.row();
    });
    notes.put("/{id}", [this](long long id, winsvc::body<new_note> given) -> std::optional<note> {
      const std::lock_guard lock(mutex);
      statement(database, "UPDATE notes SET title = ?, text = ? WHERE id = ?")
          .bind(given->title).bind(given->text).bind(id).next();
      if (sqlite3_changes(database) == 0) return std::nullopt;
      return note{*given, id};
    });
    notes.del("/{id}", [this](long long id) {
      const std::lock_guard lock(mutex);
      statement(database, "DELETE FROM notes WHERE id = ?").bind(id).next();
      return winsvc::reply(sqlite3_changes(database) != 0 ? 204 : 404);
    });
  }
};
WINSVC_MAIN(App)
