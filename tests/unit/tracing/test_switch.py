"""The switch of tracing: off, on, on again, and without the package."""

from __future__ import annotations

import subprocess
import sys

from engram.tracing import stop_opentelemetry, use_opentelemetry
from engram.tracing.switch import current_traceparent, present_recorder
from tests.doubles.spans import recorded_spans


def test_tracing_is_off_until_it_is_asked_for() -> None:
    assert present_recorder() is None
    assert current_traceparent() == ""
    use_opentelemetry()
    use_opentelemetry()
    assert present_recorder() is not None
    stop_opentelemetry()
    stop_opentelemetry()
    assert present_recorder() is None


def test_nothing_of_opentelemetry_is_loaded_until_then() -> None:
    code = (
        "import sys, engram, engram.client, engram.server, engram.store\n"
        "with engram.MemoryStore(None) as store:\n"
        "    store.space('notes', dim=8, embedder='lexical').observe('a', content='the pump leaks')\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_the_package_the_error_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from engram.tracing import use_opentelemetry\n"
        "from engram.tracing.export import exported\n"
        "for start in (use_opentelemetry, exported('otlp').__enter__):\n"
        "    try:\n        start()\n"
        "    except ImportError as error:\n        print(error.code, error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.count("missing_extra") == printed.count("pip install 'engram-stream[otel]'") == 2


def test_without_a_provider_of_the_program_spans_are_no_operation() -> None:
    use_opentelemetry()
    try:
        recorder = present_recorder()
        assert recorder is not None
        span = recorder.here("engram.commit", space="notes")
        assert span.traceparent == ""
        span.end(count=1)
    finally:
        stop_opentelemetry()


def test_spans_that_have_begun_end_after_tracing_was_stopped() -> None:
    with recorded_spans() as spans:
        recorder = present_recorder()
        assert recorder is not None
        span = recorder.here("engram.commit", space="notes")
        stop_opentelemetry()
        span.child("engram.index").end()
        span.end()
        assert [each.name for each in spans.all] == ["engram.index", "engram.commit"]
