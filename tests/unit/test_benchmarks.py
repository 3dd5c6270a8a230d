"""The benchmarks: all of them are listed, their saved results are there, and commands that are written down exist."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from benchmarks import __main__ as entry
from benchmarks.registry import BENCHMARKS, PROCESSES, RESULTS, Benchmark
from tests.doubles.places import ROOT

FOLDER: Final = ROOT / "benchmarks"
NAMED: Final = {benchmark.name: benchmark for benchmark in BENCHMARKS}
FOLDERS: Final = (ROOT / "docs", ROOT / "docs" / "operations")
PAGES: Final = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE")),
    *(page for folder in FOLDERS for page in sorted(folder.glob("*.md"))),
]
# Decisions keep the commands that they were made by, so only the files that they name are looked for.
DECISIONS: Final = sorted((ROOT / "docs" / "decisions").glob("*.md"))
SOURCES: Final = [*(ROOT / name for name in ("Makefile", "pyproject.toml", "CMakeLists.txt")), *FOLDER.rglob("*.py")]

_COMMAND = re.compile(
    r"python -m benchmarks(?:\.(?P<module>[\w.]*\w))?(?: (?P<name>[A-Za-z][\w-]*))?(?P<rest>[^`\n#]*)"
)
_OPTION = re.compile(r"(?<=\s)--[a-z-]+")
_PATH = re.compile(r"\bbenchmarks/[\w/-]+\.(?:py|json)\b")


class Quoted(NamedTuple):
    """A command that a file says one can give."""

    file: str
    text: str
    module: str | None
    name: str | None
    options: list[str]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def path_of(module: str) -> Path:
    """Where a module is, or the door of a package."""
    place = ROOT.joinpath(*module.split("."))
    return place / "__main__.py" if place.is_dir() else place.with_suffix(".py")


def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.parse(text_of(path)).body if isinstance(node, ast.FunctionDef)}


def options_of(path: Path) -> set[str]:
    """The options that a module adds to its command line."""
    calls = (node for node in ast.walk(ast.parse(text_of(path))) if isinstance(node, ast.Call))
    added = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument")
    names = (name.value for call in added for name in call.args if isinstance(name, ast.Constant))
    return {name for name in names if isinstance(name, str) and name.startswith("--")}


def quoted_in(file: str, text: str) -> Iterator[Quoted]:
    for found in _COMMAND.finditer(text):
        yield Quoted(file, found[0], found["module"], found["name"], _OPTION.findall(found["rest"]))


def quoted() -> list[Quoted]:
    changes = text_of(ROOT / "CHANGELOG.md").split("\n## ")[1]
    assert changes.startswith("[Unreleased]")
    texts = {str(path.relative_to(ROOT)): text_of(path) for path in [*PAGES, *SOURCES]} | {"CHANGELOG.md": changes}
    return [command for file, text in texts.items() for command in quoted_in(file, text)]


def wrong_with(command: Quoted) -> str:
    """What is wrong with a command; empty: nothing."""
    if command.module is None:
        if command.name in (None, "all", "NAME"):
            return ""
        benchmark = NAMED.get(command.name)
        if benchmark is None:
            return f"no benchmark {command.name}"
        path, more = path_of(benchmark.module), {"--short"}
    else:
        path, more = path_of(f"benchmarks.{command.module}"), set()
        if not path.exists() or "main" not in functions_of(path):
            return f"no module {command.module} to run"
    unknown = set(command.options) - options_of(path) - more - {"--help"}
    return f"no option {', '.join(sorted(unknown))}" if unknown else ""


def test_every_module_with_a_main_is_in_the_registry() -> None:
    paths = (path for path in FOLDER.rglob("*.py") if path.name != "__main__.py" and "main" in functions_of(path))
    modules = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    assert modules == sorted([*(benchmark.module for benchmark in BENCHMARKS), *PROCESSES])


def test_no_name_stands_twice() -> None:
    assert len(NAMED) == len(BENCHMARKS)
    assert not {"all", "NAME"} & set(NAMED)


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_a_benchmark_calls_itself_what_the_registry_calls_it(benchmark: Benchmark) -> None:
    source = text_of(path_of(benchmark.module))
    assert f'prog="python -m benchmarks {benchmark.name}"' in source
    assert source.rstrip().endswith('if __name__ == "__main__":\n    main()')


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_the_short_form_has_options_that_the_benchmark_has(benchmark: Benchmark) -> None:
    given = {word for options in benchmark.short for word in shlex.split(options) if word.startswith("--")}
    assert given <= options_of(path_of(benchmark.module))


def test_every_saved_result_belongs_to_one_benchmark() -> None:
    named = sorted(result for benchmark in BENCHMARKS for result in benchmark.results)
    assert named == sorted(path.name for path in RESULTS.iterdir())


def test_every_file_of_the_benchmarks_that_is_mentioned_exists() -> None:
    mentioned = {name for path in [*PAGES, *DECISIONS, *SOURCES] for name in _PATH.findall(text_of(path))}
    assert mentioned
    assert [name for name in sorted(mentioned) if not (ROOT / name).exists()] == []


def test_every_command_that_is_written_down_exists() -> None:
    commands = quoted()
    assert len(commands) > 60
    wrong = ((command, wrong_with(command)) for command in commands)
    assert [f"{command.file}: {command.text}: {word}" for command, word in wrong if word] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("`python -m benchmarks`", ""),
        ("python -m benchmarks NAME --help", ""),
        ("python -m benchmarks index-scale --clusters 4000  # hard", ""),
        ("python -m benchmarks.index.scale --clusters 4000", ""),
        ("python -m benchmarks streaming --short", ""),
        ("python -m benchmarks index_scale", "no benchmark index_scale"),
        ("python -m benchmarks.index_scale", "no module index_scale to run"),
        ("python -m benchmarks.index.curve", "no module index.curve to run"),
        ("python -m benchmarks.index", "no module index to run"),
        ("python -m benchmarks streaming --speed 3", "no option --speed"),
        ("python -m benchmarks.streaming.throughput --short", "no option --short"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, word: str) -> None:
    assert [wrong_with(command) for command in quoted_in("a page", text)] == [word]


def test_the_list_names_all_and_loads_none() -> None:
    script = (
        "import sys\n"
        "from benchmarks.__main__ import main\n"
        "main([])\n"
        "print([name for name in ('numpy', 'engram', 'grpc', 'rich', 'psutil') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    listed = {word.rstrip(",") for word in done.stdout.split()}
    for benchmark in BENCHMARKS:
        assert {benchmark.name, *(result.rstrip(",") for result in benchmark.results)} <= {
            w.rstrip(",") for w in listed
        }
        assert benchmark.line in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_all_runs_every_short_form_whatever_becomes_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(command[1:])
        return subprocess.CompletedProcess(command, returncode=int("queue" in command))

    monkeypatch.setattr(subprocess, "run", run)
    assert entry.main(["all", "--short"]) == 1
    wanted = [[b.name, *shlex.split(options)] for b in BENCHMARKS for options in b.short]
    assert started == [["-m", "benchmarks", *command] for command in wanted]
    printed = capsys.readouterr()
    for benchmark in BENCHMARKS:
        assert (f"{benchmark.name} has no short form" in printed.out) == (not benchmark.short)
    assert printed.err == "failed: queue\n"


def test_the_short_form_of_one_takes_further_options(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(command[3:])
        return subprocess.CompletedProcess(command, returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    assert entry.main(["streaming", "--short", "--dim", "384"]) == 0
    assert started == [["streaming", "--repeat", "1", "--dim", "384"]]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nothing"], "there is no benchmark 'nothing'"),
        (["all"], "short form only"),
        (["all", "--short", "--dim", "8"], "short form only"),
        (["pressure-recovery", "--short"], "has no short form"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_word(arguments: list[str], word: str) -> None:
    with pytest.raises(SystemExit, match=word):
        entry.main(arguments)


def test_one_is_run_in_this_process_with_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        @staticmethod
        def main() -> None:
            seen.append(sys.argv[1:])

    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setitem(sys.modules, NAMED["queue"].module, Module)
    assert entry.main(["queue", "--count", "5"]) == 0
    assert seen == [["--count", "5"]]


def test_work_that_runs_under_an_older_version_too_imports_only_what_that_has() -> None:
    modules = ("benchmarks.store.integrity_workloads", "benchmarks.support.datasets", "benchmarks.support.indexed")
    imported = set()
    for module in modules:
        for node in ast.parse(text_of(path_of(module))).body:
            assert not isinstance(node, ast.Import) or "engram" not in {name.name for name in node.names}
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                imported |= {f"{node.module}.{name.name}" for name in node.names}
    names = {"engram._core", "engram.Space", *(f"engram.store.{name}" for name in ("Hit", "MemoryStore", "Space"))}
    assert {name for name in imported if name.startswith("engram")} == names | {"engram.store.StoreOptions"}
    ours = {name.rpartition(".")[0] for name in imported if name.startswith("benchmarks")}
    assert ours <= set(modules)


@pytest.mark.parametrize("name", ["queue", "log-writes"])
def test_the_cheapest_short_forms_run(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", name, "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "{" in done.stdout, "the same as JSON"
