"""What a template's expressions insert stays text, in every language, whatever a file's author named it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.system.bundled import targets_dir
from edge_sv.system.templates import Code, escape_c, escape_markdown, escape_plain, open_templates
from tests.checkout import REPOSITORY
from tests.hostile_names import HOSTILE

ORDINARY = "StatefulPartitionedCall:0 model_1/stage1-conv.2;(1, 200, 40) -> int8, 'x' = 3"


def _render(folder: Path, name: str, template: str, **values: object) -> str:
    (folder / f"{name}.j2").write_text(template)
    return open_templates(folder).get_template(f"{name}.j2").render(values)


def test_ordinary_text_stays_as_it_is() -> None:
    assert escape_c(ORDINARY) == ORDINARY
    assert escape_plain("resnet-nano 1.0, sha256 ab/cd") == "resnet-nano 1.0, sha256 ab/cd"
    assert escape_markdown("resnet-nano, 'stage1_conv' (operator 3)") == "resnet-nano, 'stage1_conv' (operator 3)"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_compiler_sees_nothing_of_it_in_comments_and_one_string(tmp_path: Path, text: str) -> None:
    gcc = shutil.which("gcc") or pytest.skip("gcc is missing: apt-get install gcc")
    source = '/* {{ x }} */\n/* {{ x }}{{ y }}{{ x }}\n */ // {{ x }}\nchar a[] = "{{ x }}"; /*{{ x }}*/ char b;\n'
    (tmp_path / "a.c").write_text(_render(tmp_path, "a.c", source, x=text, y="/"))
    done = subprocess.run(
        [gcc, "-std=c99", "-Wall", "-Werror", "-Wno-comment", "-E", "-P", tmp_path / "a.c"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r'char a\[\] = "[^"\\\n]*"; char b;\n', done.stdout)


@given(st.text())
def test_no_text_leaves_a_comment_a_string_or_a_line(text: str) -> None:
    written = escape_c(text)
    assert not re.search(r'\*/|/\*|["\\?]', written) and not written.endswith("*")
    assert len(f"{written}.{escape_markdown(text)}.{escape_plain(text)}".splitlines()) == 1
    assert not re.search(r"[<>`|\[\]$*~#\\](?!\d)", escape_markdown(text))
    assert not re.search(r"""["'$`()\\#;&|<>]""", escape_plain(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_make_runs_nothing_of_it(tmp_path: Path, text: str) -> None:
    make = shutil.which("make") or pytest.skip("make is missing: apt-get install make")
    template = "# {{ x }}\nNAME = {{ x }}\nall:\n\t@echo {{ x }} $(NAME)\n"
    (tmp_path / "Makefile").write_text(_render(tmp_path, "Makefile", template, x=text))
    subprocess.run([make], cwd=tmp_path, capture_output=True, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "Makefile.j2"]


@pytest.mark.parametrize("name", ["CMakeLists.txt", "Makefile", "x.json", "x.ld", "x.sh", "x"])
def test_a_language_without_a_rule_of_its_own_gets_the_strictest(tmp_path: Path, name: str) -> None:
    assert _render(tmp_path, name, "{{ x }}", x='a$(b)`c`"${d}"\n#') == "a__b__c____d____"


def test_pages_escape_what_becomes_an_element(tmp_path: Path) -> None:
    assert _render(tmp_path, "a.html", "<p>{{ x }}</p>", x="<script>") == "<p>&lt;script&gt;</p>"


def test_an_included_template_has_the_rule_of_its_own_language(tmp_path: Path) -> None:
    (tmp_path / "inner.c.j2").write_text("/* {{ x }} */")
    got = _render(tmp_path, "outer.md", "{{ x }} {% include 'inner.c.j2' %}", x="*/<")
    assert got == "&#42;/&#60; /* * /< */"


def test_code_and_numbers_are_inserted_as_they_are(tmp_path: Path) -> None:
    code = Code('/* a */ "b\\n";')
    assert _render(tmp_path, "a.c", "{{ x }} {{ y }}", x=code, y=-1.5) == f"{code} -1.5"
    assert _render(tmp_path, "a.md", "{{ x }} {{ y }}", x=[1, 2], y=(3,)) == "[1, 2] (3,)"
    assert _render(tmp_path, "a.md", "{{ x }}", x=["[1]"]) == "&#91;'&#91;1&#93;'&#93;"


def test_a_template_reaches_nothing_of_python(tmp_path: Path) -> None:
    with pytest.raises(jinja2.TemplateError):
        _render(tmp_path, "a.c", "{{ ''.__class__.__mro__[1].__subclasses__() }}")


def test_every_template_of_this_project_is_opened_by_these_rules() -> None:
    opens = re.compile(r"(jinja2\.\w*Environment\(|SandboxedEnvironment\(|jinja2\.Template\(|from_string\()")
    folders = [REPOSITORY / "edge_sv", REPOSITORY / "converters"]
    found = [path for folder in folders for path in folder.rglob("*.py") if opens.search(path.read_text())]
    assert [path.name for path in found] == ["templates.py"]


def test_no_template_puts_an_expression_right_behind_half_of_an_end_of_a_comment() -> None:
    templates = [*targets_dir().rglob("*.[ch]*.j2"), *(REPOSITORY / "converters").rglob("*.[ch].j2")]
    assert len(templates) > 15
    for path in templates:
        assert not re.search(r"\*/?\{\{ *(?!prefix)\w|/\{\{", path.read_text().replace("/* {{", "")), path
