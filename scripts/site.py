"""Build the documentation site into site/: `make docs`.

MkDocs builds from one folder, so this puts there what docs/ holds, the pages of the root with their
links changed to match, and a page for each package that mkdocstrings fills from the docstrings.
"""

import ast
import re
import shutil
import sys
from pathlib import Path

from mkdocs.__main__ import cli

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "build" / "docs"
PACKAGE = ROOT / "hornbook"
PAGES = {
    "README.md": "index.md",
    "README.zh.md": "index.zh.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "LICENSE": "LICENSE.md",
}
"""Files of the root, by their names on the site."""


def gather() -> None:
    """Put all pages into one folder."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE)
    for page in SOURCE.rglob("*.md"):
        before = "../" if page.parent == SOURCE else ""  # only these link to pages of the root
        page.write_text(renamed(page.read_text(encoding="utf-8"), before), encoding="utf-8")
    for old, new in PAGES.items():
        text = (ROOT / old).read_text(encoding="utf-8")
        if old == "LICENSE":
            text = f"# License\n\n```text\n{text}```\n"
        (SOURCE / new).write_text(renamed(text, "docs/"), encoding="utf-8")
    (SOURCE / "reference").mkdir()
    for init in PACKAGE.glob("*/__init__.py"):
        write_reference(init.parent)


def renamed(text: str, before: str) -> str:
    """A page with its links as on the site: without what comes `before` them in the tree.

    The site has a menu of languages instead of the link at the top.
    """

    def moved(link: re.Match[str]) -> str:
        target = link[1].removeprefix(before)
        return f"]({PAGES.get(target, target)}{link[2]})"

    text = re.sub(r"^\[(?:中文|English)\]\(\S+\)\n\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\]\(([\w./-]+)(#[\w-]+|)\)", moved, text)


def write_reference(package: Path) -> None:
    """A page with what each module of a package says of itself, and one in Chinese that links."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(package.rglob("*.py"))
        if len(ast.parse(path.read_text(encoding="utf-8")).body) > 1  # more than a docstring
    ]
    entries = {
        ".md": (f"::: {name}" for name in modules),
        ".zh.md": ["模块的说明为英文：", *(f"- [`{name}`][{name}]" for name in modules)],
    }
    for suffix, found in entries.items():
        text = "\n\n".join([f"# hornbook.{package.name}", *found]) + "\n"
        (SOURCE / "reference" / f"{package.name}{suffix}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    gather()
    cli(["build", "--strict", "--config-file", str(ROOT / "mkdocs.yml"), *sys.argv[1:]])
