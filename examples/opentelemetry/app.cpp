// Spans of OpenTelemetry's own C++ library: one for each request, as a child of the caller's span (header traceparent),
// and the same trace in log lines. Needs opentelemetry-cpp 1.28 or newer, with the exporter "ostream" (not in Debian 12).
//
// winsvc.o is the compiled part of winsvc; the comment in hello.cpp has its command line.
//
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Iadapters -Ibuild/deps/include examples/opentelemetry/app.cpp winsvc.o -o opentelemetry -lopentelemetry_exporter_ostream_span -lopentelemetry_trace -lopentelemetry_resources -lopentelemetry_common
//
//   $ ./opentelemetry debug
//   $ curl -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' http://127.0.0.1:5025/greet/anna
//   hello anna
//
// The span is printed when the request ends: name "GET /greet/{name}", trace_id and parent_span_id of the header. To send
// spans to a collector, replace the exporter by OtlpHttpExporterFactory, and the processor by BatchSpanProcessorFactory.
#include <httplib.h>
#include <winsvc.hpp>
#include <winsvc/traceparent.hpp>  // adapters/winsvc/traceparent.hpp

#include <iostream>
#include <memory>
#include <string>

#include <opentelemetry/context/propagation/text_map_propagator.h>
#include <opentelemetry/exporters/ostream/span_exporter_factory.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/propagation/http_trace_context.h>
#include <opentelemetry/trace/provider.h>

namespace otel = opentelemetry;

// Reads the headers of a request for OpenTelemetry.
class request_headers : public otel::context::propagation::TextMapCarrier {
 public:
  explicit request_headers(const winsvc::request& req) : req_(req) {}
  otel::nostd::string_view Get(otel::nostd::string_view key) const noexcept override {
    const auto found = req_.headers.find(std::string(key));
    return found == req_.headers.end() ? otel::nostd::string_view() : otel::nostd::string_view(found->second);
  }
  void Set(otel::nostd::string_view, otel::nostd::string_view) noexcept override {}

 private:
  const winsvc::request& req_;
};

// The IDs of the active span, for log lines and for the header of a request to another service.
winsvc::adapters::trace_context active_trace() {
  const auto span = otel::trace::Tracer::GetCurrentSpan()->GetContext();
  char trace_id[32], span_id[16];
  span.trace_id().ToLowerBase16(trace_id);
  span.span_id().ToLowerBase16(span_id);
  return {std::string(trace_id, 32), std::string(span_id, 16), span.IsSampled()};
}

void App(winsvc::service& svc) {
  svc.name("opentelemetry").listen("127.0.0.1", 5025);

  svc.on_start([] {
    auto exporter = otel::exporter::trace::OStreamSpanExporterFactory::Create(std::cerr);
    auto processor = otel::sdk::trace::SimpleSpanProcessorFactory::Create(std::move(exporter));
    std::shared_ptr<otel::trace::TracerProvider> provider =
        otel::sdk::trace::TracerProviderFactory::Create(std::move(processor));
    otel::trace::Provider::SetTracerProvider(provider);
    return [] { otel::trace::Provider::SetTracerProvider(std::shared_ptr<otel::trace::TracerProvider>()); };
  });

  svc.use([](const winsvc::request& req, winsvc::response& res, const winsvc::next_handler& next) {
    auto none = otel::context::RuntimeContext::GetCurrent();
    otel::trace::StartSpanOptions options;
    options.kind = otel::trace::SpanKind::kServer;
    options.parent = otel::trace::propagation::HttpTraceContext().Extract(request_headers(req), none);
    const auto tracer = otel::trace::Provider::GetTracerProvider()->GetTracer("winsvc");
    auto span = tracer->StartSpan(req.method, {{"http.request.method", req.method}}, options);
    const auto active = tracer->WithActiveSpan(span);  // the handler runs in the same thread
    next();
    if (!req.matched_route.empty()) {  // known when the handler has run; empty if the response is 404
      span->UpdateName(req.method + " " + req.matched_route);
      span->SetAttribute("http.route", req.matched_route);
    }
    span->SetAttribute("http.response.status_code", res.status);
    if (res.status >= 500) span->SetStatus(otel::trace::StatusCode::kError);
    span->End();
  });

  svc.get("/greet/{name}", [&svc](std::string name) {
    svc.log().info(active_trace().log_prefix() + "greeting");
    return "hello " + name + "\n";
  });
}
WINSVC_MAIN(App)
