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
// It requires SQLite 3.35 or newer (RETURNING). To compile for Windows, add sqlite3.c of the SQLite amalgamation, and
// omit -lsqlite3.
#include <winsvc.hpp>

#include <sqlite3.h>

#include <mutex>

struct new_note {
  std::string title, text;
};
WINSVC_TYPE(new_note, (title, at_least(1)), (text, optional))

struct note : new_note {
  long long id = 0;
};
WINSVC_TYPE(note, id, title, text)

int bind(sqlite3_stmt* query, int place, long long number) { return sqlite3_bind_int64(query, place, number); }
int bind(sqlite3_stmt* query, int place, const std::string& text) {
  return sqlite3_bind_text64(query, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
std::string text_of(sqlite3_stmt* query, int column) {
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(query, column));
  return std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(query, column)));
}

struct App {
  std::mutex mutex;  // handlers run on many threads, and a connection to the database serves one at a time
  sqlite3* database = nullptr;

  void check(int code, const std::string& subject = "sqlite") const {
    if (code != SQLITE_OK) throw std::runtime_error(subject + ": " + sqlite3_errmsg(database));
  }

  /// Runs one statement with its parameters. Returns the notes that it selects.
  template <class... Values>
  std::vector<note> run(const char* sql, const Values&... values) {
    const std::lock_guard lock(mutex);
    sqlite3_stmt* query = nullptr;
    check(sqlite3_prepare_v2(database, sql, -1, &query, nullptr));
    const winsvc::scope_exit finalize([query] { sqlite3_finalize(query); });
    int place = 0, code = 0;
    (check(bind(query, ++place, values)), ...);
    std::vector<note> found;
    while ((code = sqlite3_step(query)) == SQLITE_ROW)
      found.push_back({{text_of(query, 1), text_of(query, 2)}, sqlite3_column_int64(query, 0)});
    check(code == SQLITE_DONE ? SQLITE_OK : code);
    return found;
  }

  explicit App(winsvc::service& svc) {
    svc.name("notes").description("Notes in a database").version("1.0").listen("127.0.0.1", 5022).openapi();
    auto path = svc.setting("database", "", "path; empty: notes.db in the data folder", winsvc::at_start);
    svc.on_start([this, path, &svc] {
      const auto file = (*path).empty() ? svc.data_folder() + "/notes.db" : *path;
      check(sqlite3_open(file.c_str(), &database), file);
      // The timeout: another program may use the file.
      const char* setup = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS notes "
                          "(id INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL)";
      check(sqlite3_exec(database, setup, nullptr, nullptr, nullptr));
      return [this] { sqlite3_close(database); };
    });
    svc.ready("database", [this] { return run("SELECT * FROM notes LIMIT 0").empty(); });

    svc.get("/notes", winsvc::query("q", "text in the title"), [this](std::optional<std::string> q) {
      return run("SELECT * FROM notes WHERE instr(title, ?) ORDER BY id LIMIT 100", q.value_or(""));
    });
    svc.post("/notes", [this](winsvc::body<new_note> given) {
      return std::pair(201, one(run("INSERT INTO notes VALUES (NULL, ?, ?) RETURNING *", given->title, given->text)));
    });
    svc.get("/notes/{id}", [this](long long id) { return one(run("SELECT * FROM notes WHERE id = ?", id)); });
    svc.put("/notes/{id}", [this](long long id, winsvc::body<new_note> given) {
      return one(run("UPDATE notes SET title = ?, text = ? WHERE id = ? RETURNING *", given->title, given->text, id));
    });
    svc.del("/notes/{id}", [this](long long id) {
      return winsvc::reply(run("DELETE FROM notes WHERE id = ? RETURNING *", id).empty() ? 404 : 204);
    });
  }

  static note one(const std::vector<note>& found) {
    if (found.empty()) winsvc::abort(404, "there is no such note");
    return found[0];
  }
};
WINSVC_MAIN(App)
