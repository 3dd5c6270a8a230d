"""The house: who may import whom, no circles, no name twice, nothing too large, as ARCHITECTURE.md says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.doubles.places import ROOT

SOURCE = ROOT / "src" / "engram"
LINES_MAX = 350
MODULES_MAX = 15
# The front door, which loads what is asked of it, and the door of `python -m engram`.
DOORS = {"engram", "engram.__main__"}
# Larger than they should be, and known to be.
LARGE: dict[str, int] = {}


@cache
def modules() -> dict[str, Path]:
    """The hand-written modules by name; packages by the name of their folder."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not name.endswith(("_pb2", "_pb2_grpc")):
            found[name] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    """A file as Python reads it; several tests look at all files."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module)
    return {name for name in found if name == "engram" or name.startswith("engram.")}


def layers() -> dict[str, int]:
    """The layer of each package as ARCHITECTURE.md has it, the highest first."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"## Layers\n[\s\S]*?\n\n((?:    .*\n)+)", page)
    assert block is not None
    return {name: number for number, line in enumerate(block[1].splitlines()) for name in line.split()}


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def upward(known: dict[str, Path], layer_of: dict[str, int]) -> list[str]:
    """The imports that do not go down."""
    wrong = []
    for module, path in known.items():
        if module in DOORS:
            continue
        own = package_of(module)
        assert own in layer_of, f"{own} is in no layer"
        for imported in imports_of(path, known) - {"engram"}:
            other = package_of(imported)
            if other not in (own, "_core") and layer_of[other] <= layer_of[own]:
                wrong.append(f"{module} imports {imported}")
    return wrong


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or not."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = edges.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    reach = {module: reached(module) for module in edges}
    groups = {tuple(sorted(m for m in reach[module] if module in reach.get(m, set()))) for module in edges}
    return [list(group) for group in sorted(groups) if group]


def test_imports_go_down_the_layers() -> None:
    assert upward(modules(), layers()) == []


def test_an_import_that_goes_up_is_found(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("if False:\n    from engram.store import Space\n", encoding="utf-8")
    (tmp_path / "store.py").write_text("import engram.model.hit\n", encoding="utf-8")
    known = {"engram.model.x": tmp_path / "model.py", "engram.store.x": tmp_path / "store.py"}
    assert upward(known, layers()) == ["engram.model.x imports engram.store"]


def test_there_are_no_import_circles() -> None:
    known = modules()
    edges = {module: imports_of(path, known) - DOORS for module, path in known.items()}
    assert circles(edges) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize("package", ["client", "wire"])
def test_who_talks_to_a_server_does_not_load_the_engine(package: str) -> None:
    modules_of_engine = ["store", "log", "index", "streaming", "_core"]
    script = (
        f"import sys, engram.{package}\n"
        f"loaded = [name for name in {modules_of_engine} if f'engram.{{name}}' in sys.modules]\n"
        "print(loaded + [name for name in ('sqlite3',) if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
    for module, path in modules().items():
        if package_of(module) == package:
            assert {package_of(name) for name in imports_of(path, modules())}.isdisjoint(modules_of_engine), module


def imported_packages(path: Path) -> set[str]:
    """The packages that a file imports, anywhere in it; generated code for gRPC counts as gRPC."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        found |= {"grpc" if name.endswith("_pb2_grpc") else name.partition(".")[0] for name in names}
    return found


def test_only_the_skins_of_grpc_know_grpc() -> None:
    """What is behind a seam cannot name what is before it, so another transport needs no change there."""
    known = {module for module, path in modules().items() if "grpc" in imported_packages(path)}
    assert known == {
        "engram.client.grpc.call_errors",
        "engram.client.grpc.observe_call",
        "engram.client.grpc.stream_call",
        "engram.client.grpc.transport",
        "engram.server.grpc_server",
        "engram.server.grpc_service",
        "engram.wire.grpc_status",
    }
    skins = {name for name in modules() if ".grpc" in name}
    behind = {name: imports_of(path, modules()) & skins for name, path in modules().items() if name not in skins}
    assert {name: sorted(found) for name, found in behind.items() if found} == {
        "engram.client.transport_choice": ["engram.client.grpc.poller", "engram.client.grpc.transport"],
        "engram.server.run": ["engram.server.grpc_server"],
    }


def test_only_the_rooms_of_the_contract_know_protobuf() -> None:
    """What is not a room of protobuf's does not import one, so another transport does without it."""
    rooms = ("engram.client.grpc", "engram.server.protobuf", "engram.server.grpc_", "engram.wire")
    # These are called as the rooms are, and know nothing of protobuf themselves.
    neutral = {"engram.wire", "engram.wire.error_kinds", "engram.client.grpc.poller", "engram.client.grpc"}
    doors = {"engram.client.transport_choice", "engram.server.run"}
    known = modules()
    # JSON and frames are the other contract.
    neutral |= {name for name in known if name.startswith(("engram.wire.forms", "engram.wire.frames"))}
    inside = {name for name in known if name.startswith(rooms)} - neutral
    wrong = {}
    for name, path in known.items():
        if name in inside | doors:
            continue
        found = {module for module in imports_of(path, known) if module.startswith(rooms)} - neutral
        if "google" in imported_packages(path):
            found.add("google")
        if found:
            wrong[name] = sorted(found)
    assert wrong == {}


def test_only_the_skins_of_http_know_its_packages() -> None:
    packages = {"starlette", "uvicorn", "httptools"}
    known = {module for module, path in modules().items() if packages & imported_packages(path)}
    assert known
    skins = ("engram.server.http.", "engram.server.websocket.")
    assert all(module.startswith(skins) for module in known), known


def test_only_tracing_knows_opentelemetry() -> None:
    known = {module for module, path in modules().items() if "opentelemetry" in imported_packages(path)}
    assert known == {"engram.tracing.export", "engram.tracing.recorder", "engram.tracing.switch"}


def test_no_class_name_stands_twice() -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for module, path in modules().items():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                names[node.name].append(module)
    assert {name: found for name, found in names.items() if len(found) > 1} == {}


def test_no_room_is_crowded_and_no_module_is_long() -> None:
    known = modules()
    rooms = Counter(path.parent for path in known.values() if path.name != "__init__.py")
    assert {str(room.relative_to(SOURCE)): count for room, count in rooms.items() if count > MODULES_MAX} == {}
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in known.items()}
    assert {module: n for module, n in lengths.items() if n > LARGE.get(module, LINES_MAX)} == {}


def test_the_index_for_newcomers_names_rooms_that_are_there() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (?!looking|---).* \|$", page.split("## Where to look")[1].split("## The tour")[0], re.MULTILINE
    )
    assert len(rows) >= 25
    for row in rows:
        assert re.search(r"\]\((src|native|clients)/", row), row


def test_the_distribution_has_our_name_everywhere() -> None:
    """On the registry, the name ``engram`` belongs to somebody else: who follows our advice must not install that."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    wrong = re.compile(r"\bengram\\?\[[a-z]|pip install (?:-\S+ )*[\"']?engram(?![-\w.])")
    found = []
    for name in files.stdout.splitlines():
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".yml", ".cpp", ""}
            and "docs/decisions" not in name
            and path.is_file()
        ):
            found += [f"{name}: {line}" for line in path.read_text(encoding="utf-8").splitlines() if wrong.search(line)]
    assert [line for line in found if not line.startswith("tests/unit/test_house.py")] == []
