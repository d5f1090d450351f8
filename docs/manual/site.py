"""All pages of the manual: written into a folder of sources, then set by Sphinx. Nothing is fetched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from docs.manual import explorer, path, topics, tutorials

ROOT = Path(__file__).parents[2]
HERE = ROOT / "docs"


def build(out: Path, *, draft: bool = False) -> Path:
    """Write the site into `out` and return its first page; warnings of Sphinx are errors, broken links among them."""
    sources = out / "sources"
    write(sources, draft=draft)
    site = out / "html"
    shutil.rmtree(site, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-n",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        str(sources),
        str(site),
    ]
    subprocess.run(command, check=True)
    return (site / "index.html").resolve()


def write(sources: Path, *, draft: bool = False) -> None:
    """Write all sources: pages of text, of topics, tutorials, the explorer and the path of a formula."""
    shutil.rmtree(sources, ignore_errors=True)
    for folder in ("topics", "tutorials", "_static", "_extra"):
        (sources / folder).mkdir(parents=True)
    shutil.copy(HERE / "conf.py", sources)
    shutil.copy(HERE / "manual.css", sources / "_static")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in sorted((HERE / "text").glob("*.md")):
        _put(sources / page.name, filled(page.read_text(encoding="utf-8"), readme))
    _put(sources / "contributing.md", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    _put(sources / "references.md", topics.references())
    for topic in topics.names():
        _put(sources / "topics" / f"{topic}.md", topics.page(topic, draft=draft))
    for lesson in tutorials.lessons():
        page, notebook = tutorials.rendered(lesson, run=not draft)
        _put(sources / "tutorials" / f"{lesson.stem}.md", page)
        _put(sources / "_extra" / "tutorials" / f"{lesson.stem}.ipynb", notebook)
    _put(sources / "architecture.md", path.page())
    _put(sources / "_extra" / "explorer.html", explorer.page(laws=not draft))


def filled(text: str, readme: str) -> str:
    """Put sections of the README where a page asks for them: a line ``{{section: Heading}}``.

    >>> filled("a\\n{{section: B}}\\nc", "## B\\n\\nb\\n## D\\n")
    'a\\nb\\nc'
    """
    lines = []
    for line in text.splitlines():
        if line.startswith("{{section: "):
            heading = line.removeprefix("{{section: ").removesuffix("}}")
            _, found, rest = readme.partition(f"## {heading}\n")
            if not found:
                raise ValueError(f"The README has no section {heading!r}, which a page of the manual shows.")
            lines.append(rest.partition("\n## ")[0].strip())
        else:
            lines.append(line)
    return "\n".join(lines)


def _put(path_: Path, text: str) -> None:
    path_.parent.mkdir(parents=True, exist_ok=True)
    path_.write_text(text, encoding="utf-8")
