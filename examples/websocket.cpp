// WebSockets: a chat with rooms, and a page for it.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/websocket.cpp winsvc-mingw.o -o websocket.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/websocket.cpp winsvc.o -o websocket
//
//   $ ./websocket debug
//   $ python3 -m websockets ws://127.0.0.1:5014/chat/kitchen        or open http://127.0.0.1:5014/ in two windows
//   > hello
//   < hello
//
// Pages of other sites cannot connect; without this check, a browser would connect and send the cookies of the user.
// When the service stops, each client receives close code 1001, and the page reconnects every two seconds.
#include <winsvc.hpp>

#include <algorithm>
#include <map>
#include <mutex>

constexpr const char* page = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Chat</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/page.css">
<h1>Kitchen</h1>
<ul id="messages" aria-live="polite"></ul>
<form id="form"><input id="text" aria-label="Message" autocomplete="off" autofocus> <button>Send</button></form>
<script src="/page.js"></script>
</html>)";

constexpr const char* style =
    "body { font: 1.1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; color-scheme: light dark }\n"
    "form { display: flex; gap: .5rem } input { flex: 1; font: inherit } button { font: inherit }\n";

constexpr const char* script = R"(
const messages = document.getElementById("messages"), text = document.getElementById("text");
const show = line => messages.appendChild(document.createElement("li")).textContent = line;
let socket;
function connect() {
  socket = new WebSocket((location.protocol == "https:" ? "wss://" : "ws://") + location.host + "/chat/kitchen");
  socket.onmessage = event => show(event.data);
  socket.onclose = () => setTimeout(connect, 2000);
}
document.getElementById("form").onsubmit = event => {
  event.preventDefault();
  if (text.value && socket.readyState == WebSocket.OPEN) socket.send(text.value);
  text.value = "";
};
connect();
)";

/// The members of each room. A websocket is a handle: copies refer to the same connection.
struct App {
  std::mutex mutex;
  std::map<std::string, std::vector<winsvc::websocket>> rooms;

  void send(const std::string& room, const std::string& text) {
    std::unique_lock lock(mutex);
    const auto members = rooms[room];
    lock.unlock();  // a slow client must not block other rooms
    for (const auto& member : members) member.send(text);
  }
  void enter(const std::string& room, const winsvc::websocket& member) {
    const std::lock_guard lock(mutex);
    rooms[room].push_back(member);
  }
  void leave(const std::string& room, const winsvc::websocket& member) {
    const std::lock_guard lock(mutex);
    auto& members = rooms[room];
    members.erase(std::remove(members.begin(), members.end(), member), members.end());
    if (members.empty()) rooms.erase(room);
  }

  explicit App(winsvc::service& svc) {
    svc.name("chat").listen("127.0.0.1", 5014);
    svc.use(winsvc::security_headers());

    svc.get("/", [] { return winsvc::reply::html(page); });
    svc.get("/page.js", [] { return winsvc::reply::with(script, "text/javascript"); });
    svc.get("/page.css", [] { return winsvc::reply::with(style, "text/css"); });
    svc.websocket("/chat/{room}", [this](winsvc::websocket& ws, std::string room) {
      enter(room, ws);
      const winsvc::scope_exit left([&] { leave(room, ws); });
      while (auto message = ws.receive()) {
        if (!message->binary) send(room, message->data);
      }
    });
  }
};
WINSVC_MAIN(App)
