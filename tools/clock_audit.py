"""Checks that the headers in include/ take their time from a clock, for `tools/amalgamate --audit`."""

import re

from header_tree import code_lines, short_name

CLOCK = "winsvc/base/clock.hpp"
CLOCK_READ = re.compile(r"\b(?:steady|system|high_resolution)_clock::now\(|\bclock::system\(\)|\bclock_gettime\(|"
                        r"\bGetTickCount|\bGetSystemTime|\bQueryPerformanceCounter|(?<![\w.>])time\((?:nullptr|NULL|0)\)|"
                        r"\bthis_thread::sleep_")
# Headers that read the system's clock or sleep, with the number of the lines and the reason. All else takes a clock.
CLOCK_EXCEPTIONS = {
    "api/host.hpp": (1, "the default of a parameter for apps"),
    "base/clock.hpp": (3, "the system's clock"),
    "base/log.hpp": (1, "the default of a parameter for apps"),
    "base/wait_deadline.hpp": (5, "ends a wait in real time"),
    "cli/run_verb.hpp": (1, "the default of the verbs"),
    "diagnose/live_query.hpp": (2, "waits for another process"),
    "diagnose/prove.hpp": (1, "waits for another process"),
    "diagnose/prove_app.hpp": (1, "a handler of the checked service that takes real time"),
    "host/definition.hpp": (1, "the default of the verbs, which serve nothing"),
    "host/service_host.hpp": (1, "the default under the SCM"),
    "http/transport.hpp": (1, "a part of a wait for a socket"),
    "log/async_sink.hpp": (3, "waits for a disk, also in a crash"),
    "log/log_reader.hpp": (1, "the default of the verbs"),
    "log/rotating_file_sink.hpp": (1, "tries a disk again; the days are those of the entries"),
    "os/posix/control_channel.hpp": (6, "waits for another process"),
    "os/posix/process.hpp": (2, "reads CPU times"),
    "os/tcp.hpp": (4, "continues an interrupted poll()"),
    "os/win/control_channel.hpp": (2, "waits for another process"),
    "os/win/dump_writer.hpp": (1, "the name of a minidump, in a process without a service"),
    "os/win/iocp.hpp": (2, "waits for the system"),
    "server/drain_clock.hpp": (4, "a stop takes real time"),
    "server/engine.hpp": (1, "the default of its tests"),
    "server/pool_monitor_impl.hpp": (2, "observes threads of the system"),
    "server/server.hpp": (1, "a comparison"),
    "server/server_drain_impl.hpp": (1, "a handshake of the system"),
    "server/tls.hpp": (1, "a part of a wait for a socket"),
    "testing/client.hpp": (2, "the default of a parameter for tests"),
    "testing/recording_dispatcher.hpp": (3, "the limits of a test are real time"),
    "testing/scm.hpp": (2, "the default of a parameter for tests, and the limits of a test"),
    "wire/cookie.hpp": (2, "the default of a parameter for apps"),
}


def audit_clock(headers):
    """Everything that waits takes its time from a clock, which tests replace."""
    for name, header in headers.items():
        found = [n for n, line in enumerate(code_lines(header.lines), start=1) if CLOCK_READ.search(line)]
        allowed, _ = CLOCK_EXCEPTIONS.get(short_name(name), (0, ""))
        if len(found) > allowed:
            yield (f"include/{name}:{found[-1]}: a time that no test can replace: use a clock ({CLOCK}), or add it to "
                   "CLOCK_EXCEPTIONS in tools/clock_audit.py with its reason")
        elif len(found) < allowed:
            yield (f"tools/clock_audit.py: {short_name(name)} reads the system's clock in {len(found)} lines, not in "
                   f"{allowed}: change CLOCK_EXCEPTIONS")
