"""An HTML page as its elements and texts, for tests that look at pages without a browser."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}
RAW = {"script", "style"}


class Document(HTMLParser):
    """Elements with their attributes, and the texts outside of scripts; fails where a tag has no end."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.scripts, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in RAW:
            self.scripts.append(data)
        elif data.strip():
            self.texts.append(data.strip())

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
