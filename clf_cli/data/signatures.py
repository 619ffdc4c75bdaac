"""What the bytes of a file say that its decoder does not: what it is if no image, and whether a JPEG has its end."""

HEAD = 264  # bytes that tell what a file is
SEGMENTS = 4096  # before the first scan; a profile of 16 MB takes 255
_KNOWN = (  # where, what, and what people call it
    (0, b"version https://git-lfs", "a Git LFS pointer: git lfs pull fetches the image"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (0, b"7z\xbc\xaf\x27", "a 7z archive"),
    (0, b"Rar!\x1a", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%!PS", "PostScript"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "HDF5"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftyp", "video"),
    (128, b"DICM", "DICOM"),
)
ARCHIVES = frozenset(name for _, _, name in _KNOWN if name.endswith("archive"))


def named_content(head: bytes) -> str:
    """What the first HEAD bytes of a file say that it is; "" where they say nothing."""
    for start, signature, name in _KNOWN:
        if head[start:].startswith(signature):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "HTML or XML text" if text.startswith(b"<") else ""


def has_end(jpeg: bytes) -> bool:
    """Whether the end marker follows the first scan; the one of a thumbnail lies before it, in a segment."""
    place = 2
    for _ in range(SEGMENTS):
        if jpeg[place : place + 1] != b"\xff" or jpeg[place + 1 : place + 2] == b"\xda":
            break
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return jpeg.find(b"\xff\xd9", place) >= 0
