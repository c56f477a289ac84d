// Content sink: receives the bytes of a content provider of cpp-httplib and sends them as the body of a response.
//
//   const bool complete = stream_sink(exchange, chunked).run(res);      // a stream
//   const bool sent = range_sink(exchange, offset, length).run(res);    // a part of a content of known length
//
// A content provider gets cpp-httplib's DataSink only; exchange_of(sink) is the way from there to its exchange.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// The exchange whose response a content provider writes into `sink`. Throws setup_error for a sink that winsvc has not
/// made.
[[nodiscard]] exchange& exchange_of(const httplib::DataSink& sink);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Receives the bytes of a content provider and sends them.
class content_sink {
 public:
  explicit content_sink(exchange& current) : stream_(current.stream), exchange_(current) {
    sink_.write = write_function{*this};
    sink_.is_writable = [this] { return ok_ && !stream_.has_failed(); };
  }
  virtual ~content_sink() = default;
  content_sink(const content_sink&) = delete;
  content_sink& operator=(const content_sink&) = delete;

  /// Sends the next bytes. Returns false if they were not all sent.
  virtual bool write(const char* bytes, std::size_t count) = 0;
  [[nodiscard]] exchange& current() const noexcept { return exchange_; }

  /// The function `write` of the sink; exchange_of(sink) finds the content_sink through it.
  struct write_function {
    content_sink& sink;
    bool operator()(const char* bytes, std::size_t count) const { return sink.write(bytes, count); }
  };

 protected:
  /// Notes a wrong number of bytes, unless the client has left: then no provider can write all bytes.
  void check_length(std::uint64_t announced, std::uint64_t written) noexcept {
    if (announced != written && ok_ && !stream_.has_failed()) exchange_.delivery.length_mismatch = {announced, written};
  }

  exchange_stream& stream_;
  httplib::DataSink sink_;
  bool ok_ = true, done_ = false;

 private:
  exchange& exchange_;
};

WINSVC_INLINE exchange& exchange_of(const httplib::DataSink& sink) {
  const auto* const write = sink.write.target<content_sink::write_function>();
  if (!write) throw setup_error("stream: the sink is not one of winsvc; pass the sink that the content provider gets");
  return write->sink.current();
}

/// Sends the bytes [offset, offset + length) of a provider of known length.
class range_sink final : public content_sink {
 public:
  range_sink(exchange& current, std::uint64_t offset, std::uint64_t length)
      : content_sink(current),
        begin_(static_cast<std::size_t>(offset)),
        end_(static_cast<std::size_t>(offset + length)) {
    sink_.done = [this] { done_ = true; };
    sink_.done_with_trailer = [this](const httplib::Headers&) { done_ = true; };
  }

  /// Runs the provider to the end of the range. Returns false if the provider sent fewer bytes.
  [[nodiscard]] bool run(const response& res) {
    while (sink_.is_writable() && !done_ && position_ < end_) {
      if (!res.content_provider_(position_, end_ - position_, sink_)) break;
    }
    check_length(end_ - begin_, position_ - begin_ + excess_);
    return ok_ && position_ == end_;
  }

 private:
  bool write(const char* bytes, std::size_t count) override {
    const std::size_t wanted = (std::min)(count, end_ - position_);
    if (ok_ && wanted != 0) ok_ = stream_.write(bytes, wanted);
    position_ += wanted;
    excess_ += count - wanted;
    return ok_ && wanted == count;  // bytes after the announced length are not sent
  }

  std::size_t begin_, end_, position_ = begin_, excess_ = 0;
};

/// Sends a stream: in chunks, with a length that the app has announced, or until the connection ends.
class stream_sink final : public content_sink {
 public:
  stream_sink(exchange& current, bool chunked)
      : content_sink(current), chunked_(chunked), bytes_left_(current.delivery.stream_length) {
    sink_.done = [this] { finish({}); };
    sink_.done_with_trailer = [this](const httplib::Headers& trailers) { finish(trailers); };
  }

  /// Runs the provider until it is done. Returns false if the stream is incomplete.
  [[nodiscard]] bool run(const response& res) {
    bool is_running = true;
    while (is_running && !done_ && sink_.is_writable()) is_running = res.content_provider_(offset_, 0, sink_);
    if (const auto announced = current().delivery.stream_length) check_length(*announced, offset_);
    return is_running && ok_ && done_ && (!bytes_left_ || *bytes_left_ == 0);
  }

 private:
  bool write(const char* bytes, std::size_t count) override {
    if (!ok_ || done_) return false;
    if (count == 0) return true;
    // Bytes after the announced length are not sent.
    const bool fits = !bytes_left_ || count <= *bytes_left_;
    const std::size_t sent = fits ? count : static_cast<std::size_t>(*bytes_left_);
    // If there is no memory for the bytes, nothing changes: the provider may catch the exception and go on.
    if (chunked_) {
      char size[24];
      std::snprintf(size, sizeof size, "%zx\r\n", sent);
      ok_ = send(std::string(size).append(bytes, sent).append("\r\n"));
    } else if (sent != 0) {
      ok_ = stream_.write(bytes, sent);
    }
    offset_ += count;
    if (bytes_left_) *bytes_left_ -= sent;
    return ok_ && fits;
  }
  bool send(const std::string& bytes) { return stream_.write(bytes.data(), bytes.size()); }
  void finish(const httplib::Headers& trailers) {
    if (!ok_ || done_) return;
    std::string end = "0\r\n";
    for (const auto& [name, value] : trailers) {
      // If the provider lets the exception pass, the client detects the missing end of the body. If it catches the
      // exception, it can still end the body.
      api::check_header(name, value);
      end.append(name).append(": ").append(value).append("\r\n");
    }
    if (chunked_) ok_ = send(end.append("\r\n"));
    done_ = true;  // not before: without its end, the stream is incomplete
  }

  bool chunked_;
  std::optional<std::uint64_t> bytes_left_;
  std::size_t offset_ = 0;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
