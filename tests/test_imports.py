"""The layout of DESIGN §3 as a test: which package may import which, and what no module may do.

The modules are only parsed, never imported, so these tests need nothing that the modules need.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CLI = "mvstylizer.cli"

MAY_IMPORT = {
    "mvstylizer": set[str](),
    "inference": {"mvstylizer"},
    "export": {"mvstylizer"},
    "fl_server": {"inference", "export", "mvstylizer"},
    "fl_clients": {"inference", "export", "mvstylizer"},
}
TRAINING_LIBRARIES = {"torch", "torchvision", "safetensors", "onnx", "onnxscript"}
TRAINING_MODULES = ("mvstylizer.network", "mvstylizer.training", "export", "fl_server", "fl_clients")
VIDEO_MODULES = ("mvstylizer.video", "mvstylizer.demo.clip")
UNTELLING_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
REFUSED_CALLS = {"VideoCapture", "VideoWriter"}


@dataclass(frozen=True)
class Import:
    """One import: the module asked for, whether only inside a function, and the member taken from it."""

    target: str
    lazy: bool
    member: str = ""


@dataclass(frozen=True)
class Module:
    """A module's dotted name, its syntax tree, and whether it is a package's ``__init__``."""

    name: str
    tree: ast.Module
    is_package: bool = False


def parse(name: str, source: str) -> Module:
    """Return the module ``name`` with the given source."""
    return Module(name, ast.parse(source))


def all_modules() -> list[Module]:
    """Return every module of the packages that exist so far."""
    found = []
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found.append(Module(name, ast.parse(path.read_text("utf-8"), str(path)), is_package))
    return found


def imports(module: Module) -> Iterator[Import]:
    """Yield all imports; a relative one counts as what it stands for."""
    parts = module.name.split(".")
    own = parts if module.is_package else parts[:-1]

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = own[: len(own) - node.level + 1] if node.level else []
            target = ".".join([*base, node.module] if node.module else base)
            yield from (Import(target, lazy, alias.name) for alias in node.names)
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    yield from walk(module.tree, False)


def lies_in(name: str, places: tuple[str, ...]) -> bool:
    """Say whether the module ``name`` is one of ``places`` or lies below one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def wrong_arrows(module: Module) -> list[str]:
    """Return imports of our own packages that point the wrong way; the command line may, inside functions."""
    own = module.name.split(".")[0]
    allowed = MAY_IMPORT[own] | {own}
    return [
        f"{module.name} imports {each.target}"
        for each in imports(module)
        if each.target.split(".")[0] in MAY_IMPORT.keys() - allowed and not (module.name == CLI and each.lazy)
    ]


def misplaced_libraries(module: Module) -> list[str]:
    """Return imports of libraries outside their place: training's, torchvision when loading, PyAV."""
    wrong = []
    for each in imports(module):
        library = each.target.split(".")[0]
        if (
            (library in TRAINING_LIBRARIES and not lies_in(module.name, TRAINING_MODULES))
            or (library == "torchvision" and not each.lazy)
            or (library == "av" and not lies_in(module.name, VIDEO_MODULES))
            or library == "pickle"
        ):
            wrong.append(f"{module.name} imports {each.target}")
    return wrong


def upward_imports(module: Module) -> list[str]:
    """Return relative imports that climb: ``from .. import x`` and above."""
    return [
        f"{module.name}, line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level > 1
    ]


def opened_videos(module: Module) -> list[str]:
    """Return uses of OpenCV's video files, whose times are not exact."""
    taken = [each.member for each in imports(module) if each.target == "cv2"]
    used = [
        node.attr
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cv2"
    ]
    return [f"{module.name}: {name}" for name in taken + used if name in REFUSED_CALLS]


def untelling_names(modules: list[Module]) -> list[str]:
    """Return modules whose name does not say what they are."""
    return [module.name for module in modules if UNTELLING_NAMES & set(module.name.split("."))]


def import_cycle(modules: list[Module]) -> list[str]:
    """Return a cycle among the imports that run when modules are loaded, or nothing."""
    known = {module.name for module in modules}
    graph = {module.name: needs_loaded(module, known) for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def needs_loaded(module: Module, known: set[str]) -> set[str]:
    """Return those of the ``known`` modules that have to be complete before ``module`` can be."""
    needed = set()
    for each in imports(module):
        if each.lazy:
            continue
        sibling = f"{each.target}.{each.member}"
        needed |= {sibling} & known
        # `from package import sibling` inside the package does not need the package to be complete.
        if sibling not in known or not lies_in(module.name, (each.target,)):
            needed |= {each.target} & known
    return needed


MODULES = all_modules()
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.name))


@each_module
def test_arrows_point_one_way(module: Module) -> None:
    """No package imports one that stands above it or beside it."""
    assert wrong_arrows(module) == []


@each_module
def test_libraries_are_imported_in_their_place(module: Module) -> None:
    """The base install needs no torch, and one package alone opens videos."""
    assert misplaced_libraries(module) == []


@each_module
def test_no_import_climbs(module: Module) -> None:
    """Where a name comes from can be read without counting dots."""
    assert upward_imports(module) == []


@each_module
def test_nobody_opens_video_with_opencv(module: Module) -> None:
    """No picture is read or written with a time that is not exact."""
    assert opened_videos(module) == []


def test_no_cycles() -> None:
    """Every module can be understood after those that it imports."""
    assert import_cycle(MODULES) == []


def test_names_say_what_a_module_is() -> None:
    """No module is a drawer for whatever else there is."""
    assert untelling_names(MODULES) == []


def test_the_command_line_loads_fast() -> None:
    """The command line comes up without torch, Flower or ONNX Runtime."""
    if not (ROOT / "mvstylizer/cli.py").exists():
        pytest.skip("mvstylizer/cli.py does not exist yet")
    code = f"import sys, {CLI}; print(*({{'torch', 'flwr', 'onnxruntime'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mvstylizer.engine", "import inference"),
        ("mvstylizer.engine", "def f():\n    from inference.app import run"),
        ("mvstylizer.cli", "from fl_server import app"),
        ("inference.app", "import fl_clients.trainer"),
        ("inference.app", "if TYPE_CHECKING:\n    import export"),
        ("fl_server.app", "import fl_clients"),
    ],
)
def test_a_wrong_arrow_is_found(name: str, source: str) -> None:
    """The check of arrows can fail, also for lazy imports and those for type checkers."""
    assert wrong_arrows(parse(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mvstylizer.cli", "def f():\n    import fl_server.app"),
        (
            "fl_clients.app",
            "from inference import store\nfrom export import release\nimport mvstylizer.engine",
        ),
    ],
)
def test_a_right_arrow_is_let_pass(name: str, source: str) -> None:
    """The check of arrows refuses nothing that the design allows."""
    assert wrong_arrows(parse(name, source)) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mvstylizer.engine", "def f():\n    import torch.nn"),
        ("mvstylizer.networking", "import torch"),
        ("inference.app", "from safetensors.numpy import load"),
        ("mvstylizer.network.encoder", "from torchvision import models"),
        ("mvstylizer.device", "import av"),
        ("mvstylizer.demo.scene", "from av import open"),
        ("export.writer", "import pickle"),
    ],
)
def test_a_misplaced_library_is_found(name: str, source: str) -> None:
    """The check of libraries can fail."""
    assert misplaced_libraries(parse(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mvstylizer.network.encoder", "import torch\ndef f():\n    import torchvision"),
        ("mvstylizer.video.reader", "import av"),
        ("export.writer", "import onnx"),
    ],
)
def test_a_library_in_its_place_is_let_pass(name: str, source: str) -> None:
    """The check of libraries refuses nothing that the design allows."""
    assert misplaced_libraries(parse(name, source)) == []


def test_the_other_checks_can_fail() -> None:
    """Climbing imports, OpenCV's videos, empty names and cycles are all found."""
    assert upward_imports(parse("mvstylizer.video.reader", "from ..errors import InputError"))
    assert opened_videos(parse("mvstylizer.device", "import cv2\ncv2.VideoCapture('x')"))
    assert opened_videos(parse("mvstylizer.device", "from cv2 import VideoWriter as Writer"))
    assert opened_videos(parse("mvstylizer.device", "from mvstylizer.video import VideoWriter")) == []
    assert untelling_names([parse("mvstylizer.video.utils", "")])
    first, second = "from mvstylizer.b import x", "from mvstylizer import a"
    assert import_cycle([parse("mvstylizer.a", first), parse("mvstylizer.b", second)])
    assert import_cycle([parse("mvstylizer.a", "from .b import x"), parse("mvstylizer.b", second)])
    package = Module("mvstylizer.p", ast.parse("from mvstylizer.p.a import x"), is_package=True)
    assert import_cycle([package, parse("mvstylizer.p.a", "from mvstylizer.p import x")])
    lazy = "def f():\n    from mvstylizer import a"
    assert import_cycle([parse("mvstylizer.a", first), parse("mvstylizer.b", lazy)]) == []
