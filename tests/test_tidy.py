"""House rules that no linter knows."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from authz_service import errors
from authz_service.errors import AuthzError, InvalidRequest
from authz_service.server import app, status  # noqa: F401 - the server imports every error class

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "authz_service", ROOT / "clients" / "python" / "authz")
MODULES = [
    path for package in PACKAGES for path in sorted(package.rglob("*.py")) if "v1" not in path.parts
]
EMPTY_NAMES = re.compile(r"(Manager|Handler|Helper|Utils?|Processor|Wrapper|Base|Impl)$")
EMPTY_MODULES = {"utils", "helpers", "common", "misc", "base", "core", "types", "constants"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "say in the first line what this module owns"
    assert path.read_text(encoding="utf-8").count("\n") <= 600, "split it by responsibility"
    assert path.stem not in EMPTY_MODULES, "name the module after what it owns"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            assert not EMPTY_NAMES.search(node.name), f"{node.name}: name the thing, not its job"


def subclasses(cls):
    return {cls}.union(*map(subclasses, cls.__subclasses__()))


def test_every_error_has_a_status_and_a_reason_of_its_own():
    """A new class without a row in the table would reach clients as INTERNAL."""
    classes = subclasses(AuthzError) - {AuthzError, InvalidRequest}
    assert classes == set(status.TABLE)
    assert len({cls.reason for cls in classes}) == len(classes)
    for cls in classes:
        assert cls.__name__ in errors.__doc__


def test_the_service_and_the_client_have_the_same_version():
    versions = {
        tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
        for folder in (ROOT, ROOT / "clients" / "python")
    }
    assert len(versions) == 1
