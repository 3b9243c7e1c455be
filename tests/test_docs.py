"""The pages: every link leads somewhere, both languages say as much, and the site can be built."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.test_layers import ORDER
from tests.test_limits import REGISTRY

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS = [ROOT / name for name in ("Makefile", "mkdocs.yml", "pyproject.toml", "constraints.txt")]
WORKFLOW = ROOT / ".github" / "workflows" / "check.yml"
IN_ENGLISH = {"CHANGELOG", "CONTRIBUTING", "SECURITY", "architecture", "extending", "log"}
"""Pages for those who work on Hornbook."""
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchor(heading: str) -> str:
    """As those who show the page make it: words in lower case, joined by hyphens."""
    return re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-")


def headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"^#{1,6} (.+)$", text, re.M)


@every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, section = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        assert not section or section in map(anchor, headings(there)), target


@every_page
def test_users_can_read_it_in_both_languages(page):
    stem = page.name.removesuffix(".md").removesuffix(".zh")
    if stem in IN_ENGLISH:
        return
    one, other = page.with_name(f"{stem}.md"), page.with_name(f"{stem}.zh.md")
    assert other.exists(), f"{other.name} is missing"
    assert len(headings(one)) == len(headings(other))


def test_the_menu_of_the_site_has_every_page():
    """Each with its name in Chinese; a page of reference for each package."""
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), yaml.BaseLoader)
    titles, there = set(), set()

    def look(entries):
        for entry in entries:
            ((title, what),) = entry.items() if isinstance(entry, dict) else [("", entry)]
            titles.add(title)
            look(what) if isinstance(what, list) else there.add(what)

    look(settings["nav"])
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    pages |= {"index.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
    pages |= {f"reference/{path.parent.name}.md" for path in ROOT.glob("hornbook/*/__init__.py")}
    assert there == {page for page in pages if not page.endswith(".zh.md")}
    plugin = next(one["i18n"] for one in settings["plugins"] if "i18n" in one)
    chinese = next(one for one in plugin["languages"] if one["locale"] == "zh")
    assert titles - {""} == chinese["nav_translations"].keys()


def test_the_architecture_names_what_is_there():
    """Modules and files by their names, and the order of imports as it is enforced."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "hornbook"
    names = re.findall(r"`([\w./]+)`", text)
    modules = [name.split(".") for name in names if re.fullmatch(r"\w+\.\w+(\.\w+)?", name)]
    modules = [parts for parts in modules if (package / parts[0]).is_dir() and "cpp" not in parts]
    assert len(modules) > 60
    for *above, last in modules:
        place = package.joinpath(*above)  # what is named last is a package, a module or one's class
        found = (place / last, place / f"{last}.py", place.with_suffix(".py"))
        assert any(path.exists() for path in found), ".".join((*above, last))
    for name in names:
        assert "/" not in name or any((root / name).exists() for root in (ROOT, package)), name
    assert ORDER.split() == re.search(r"^ {4}(core <.*\n.*)$", text, re.M)[1].split()


@pytest.mark.parametrize("path", [*PAGES, *SETTINGS, WORKFLOW], ids=str)
def test_no_registry_is_named(path):
    assert not REGISTRY.search(path.read_text(encoding="utf-8"))


def test_what_runs_in_public_is_what_runs_here():
    """The same script, installed the same way, and nobody else's actions."""
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(step["uses"].startswith("actions/") for step in steps if "uses" in step)
    commands = [step["run"] for step in steps if "run" in step]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "make test" in commands
    assert re.search(r"^test:.*\n\t.*scripts/check$", makefile, re.M)
    targets = " ".join(re.findall(r"^\.PHONY: (.+)$", makefile, re.M)).split()
    assert all(command.split()[0] == "make" for command in commands)
    assert {target for command in commands for target in command.split()[1:]} <= set(targets)


@pytest.mark.slow
def test_the_site_can_be_built(tmp_path):
    """Strictly: a link that is broken, or a page that no menu has, is an error."""
    pytest.importorskip("mkdocs")
    command = [sys.executable, ROOT / "scripts" / "site.py", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in ("index.html", "zh/index.html", "reference/core.html"):
        html = (tmp_path / "site" / page).read_text(encoding="utf-8")
        assert not re.search(r"(?:src|href)=[\"']https?://[^\"']*\.(?:js|css|woff2?)", html)
