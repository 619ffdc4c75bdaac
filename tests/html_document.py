"""An HTML page as its elements and texts, for tests that look at pages without a browser."""

from html.parser import HTMLParser
from typing import Any

Attributes = dict[str, Any]

VOID = {"meta", "link", "img", "input", "br"}
RAW = {"script", "style"}


class Document(HTMLParser):
    """Elements with their attributes, and the texts outside of scripts; fails where a tag has no end."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in RAW:
            self.scripts.append(data)
        elif data.strip():
            self.texts.append(data.strip())

    def of(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]
