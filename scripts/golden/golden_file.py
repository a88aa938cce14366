"""Writing golden files, and the texts that tokenizers are asked about."""

import json
import pathlib
import platform
from importlib.metadata import version

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"

TEXTS = [
    "Hello world",
    "The quick brown fox jumps over the lazy dog.",
    "  two spaces before, three   inside, one after ",
    "tabs\tand\nline breaks\n\n\nand\r\nWindows ones\n",
    "In 2024, 12345 items cost $1,234.56 (or 3½ dozen at 10²).",
    "I'll say it's what they've done; DON'T shout, we'RE near.",
    "def f(x):\n    return {'a': x ** 2}  # comment\n",
    "const x = arr.map((v) => v?.id ?? 0).filter(Boolean);",
    "Größe, naïve, façade, Ångström, e\u0301 combined",
    "Привет, мир! Γειά σου Κόσμε. שלום עולם. مرحبا بالعالم",
    "日本語のテキスト、中文文本，한국어 텍스트 ไทย हिन्दी",
    "emoji 🙂👍🏽👩‍👩‍👧‍👦🇫🇷 and ♥️",
    "a\u00a0non-breaking\u2003em space\u200bzero width",
    "CamelCaseWords and snake_case_words, HTTPServer2Go",
    "!!!???...---___***///\\\\\\",
    "https://example.org/path?query=1&other=%20#fragment",
]


def write(name, made, data, compact=False):
    """Writes tests/golden/NAME; `made` says how, the packages' versions are added."""
    made = {
        **made,
        "python": platform.python_version(),
        "versions": {package: version(package) for package in made["versions"]},
    }
    separators = (",", ":") if compact else None
    text = json.dumps({"made": made, **data}, ensure_ascii=False, separators=separators, indent=None if compact else 1)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")
    print(f"{name}: {len(text)} characters")
