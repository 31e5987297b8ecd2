"""Every command explains itself, and the documents name only commands and targets that exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from studyguide import commands
from studyguide.problem import ProblemError

COMMANDS = sorted(p.name for p in (ROOT / "scripts").glob("*.py") if p.name != "environment.py")
DOCUMENTS = ["README.md", "README.zh-CN.md", "chapters/about/how-to-add.md", "chapters/about/articles.md"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str):
    """`--help` works and says what the command does."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / name, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert name in done.stdout


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_what_exists(document: str):
    """A `scripts/x.py` or `make x` in a document is there, with every option that the document gives it."""
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.M)) <= targets
    for line in re.findall(r"scripts/[a-z]+\.py[^\n`#]*", text):
        command, *words = line.split()
        assert (ROOT / command).exists(), f"{document} names {command}"
        source = Path(ROOT / command).read_text(encoding="utf-8")
        for option in [word for word in words if word.startswith("--")]:
            assert f'"{option}"' in source, f"{document} gives {command} the option {option}"


def test_problems_name_paths_as_typed(tmp_path: Path, monkeypatch, capsys):
    """Below the current folder a path is relative; what the system refuses is one line too."""
    monkeypatch.chdir(tmp_path)

    def wrong(argv: list[str]) -> int:
        raise ProblemError.at(tmp_path / "a.md", 3, "bad", "mend it")

    def refused(argv: list[str]) -> int:
        return len((tmp_path / "gone").read_bytes())

    assert (commands.run(wrong, []), commands.run(refused, [])) == (1, 1)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "a.md:3: bad mend it"
    assert second.startswith("gone:1: refused No such file or directory; ")


def test_a_new_chapter_needs_a_name():
    """`make chapter` without PART and ID says how it is called."""
    command = [sys.executable, ROOT / "scripts" / "chapter.py", "", "", ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make chapter PART=" in done.stderr


def test_every_command_is_documented():
    """The README's table or text names every command or the make target that runs it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in COMMANDS:
        target = re.search(rf"^([a-z]+):[^\n]*\n(?:\t[^\n]*\n)*?\t[^\n]*scripts/{re.escape(name)}", makefile, re.M)
        assert f"scripts/{name}" in text or (target and f"make {target[1]}" in text), f"{name} is documented nowhere"


def test_command_enters_the_environment(tmp_path: Path):
    """A Python that lacks what the commands import makes `.venv` and runs the command there, as the README has it."""
    scripts = tmp_path / "scripts"
    (scripts / "studyguide").mkdir(parents=True)
    (scripts / "studyguide" / "__init__.py").touch()
    shutil.copy(ROOT / "scripts" / "environment.py", scripts)
    (scripts / "hello.py").write_text("import environment, sys\nprint('ran by', sys.argv)\n")
    recipe = "mkdir -p .venv/bin; printf '#!/bin/sh\\necho entered with $$2\\n' >.venv/bin/python; chmod +x $@"
    (tmp_path / "Makefile").write_text(f".venv/book.stamp:\n\t@{recipe.replace('$@', '.venv/bin/python')}\n")
    command = [sys.executable, "-I", "-S", "-c"]
    start = f"import runpy, sys; sys.path.insert(0, {str(scripts)!r}); sys.argv = ['hello.py', 'word']; "
    start += f"runpy.run_path({str(scripts / 'hello.py')!r}, run_name='__main__')"
    done = subprocess.run([*command, start], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "entered with word\n"), done.stderr


@pytest.mark.parametrize("name", ["toc.py", "build.py", "execute.py", "convert.py"])
def test_empty_book_is_not_this_book(name: str):
    """`--book "$UNSET"` must not touch this book."""
    command = [sys.executable, ROOT / "scripts" / name, "--book", "", *(["x.md"] if name == "convert.py" else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("--book:1: no-folder ")
