"""Lines of a file, plain or gzip, whatever it holds, in bounded memory."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 8 * 2**20
"""Bytes; of a longer line only the beginning is kept."""

_KEPT = 60_000
_CHUNK = 2**18
_COMPRESSED_CHUNK = 2**14
_GZIP_WINDOW = 31
_GZIP = b"\x1f\x8b"
_OTHER_FORMATS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"PAR1": "Parquet",
    b"SQLite format 3": "SQLite",
}


class Line(NamedTuple):
    """One line without its end.

    `start` and `end` are offsets into the uncompressed file, `end` that of the next
    line. A `fault` says why `data` is not the whole line.
    """

    number: int
    start: int
    end: int
    data: bytes
    fault: str | None = None


def format_fault(path: Path) -> str | None:
    """Why the file cannot hold lines of JSON, if its first bytes tell."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "the file is empty"
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            return f"the file is {name}: make it JSON lines, plain or gzip"
    return None


class LineReader:
    """Reads the lines of `path` from an offset that an earlier line ended at.

    Args:
        path: the file.
        offset: into the uncompressed file.
        number: lines before `offset`.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, offset: int = 0, number: int = 0) -> None:
        self._file = path.open("rb")
        self._number = number
        self._start = offset
        self._fault: str | None = None
        self._chunks = _chunks(self._file, offset)
        self._rest = b""
        self._dropped = 0
        self._ended = False

    @property
    def consumed(self) -> int:
        """Bytes of the file, compressed or not, that were read."""
        return self._file.tell()

    def read(self) -> list[Line] | None:
        """Some next lines, maybe none yet; None at the end.

        It takes no more than a moment, however long the lines are.
        """
        if self._ended:
            return None
        try:
            chunk = next(self._chunks, None)
        except (zlib.error, EOFError) as error:
            return self._last(f"the gzip file is damaged here ({error})")
        if chunk is None:
            return self._last(None)
        return self._split(chunk)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _split(self, chunk: bytes) -> list[Line]:
        *parts, rest = chunk.split(b"\n")
        lines = [self._line(part, newline=1) for part in parts]
        self._keep(rest)
        return lines

    def _line(self, part: bytes, newline: int, fault: str | None = None) -> Line:
        length = self._dropped + len(self._rest) + len(part)
        if self._dropped:
            part = b""
            fault = f"the line has {length:,} bytes, more than {LONGEST_LINE:,}"
        data = self._rest + part
        start, self._start = self._start, self._start + length + newline
        self._number += 1
        self._rest, self._dropped = b"", 0
        return Line(self._number, start, self._start, data, fault)

    def _keep(self, rest: bytes) -> None:
        if self._dropped:
            self._dropped += len(rest)
            return
        self._rest += rest
        if len(self._rest) > LONGEST_LINE:
            self._dropped = len(self._rest) - _KEPT
            self._rest = self._rest[:_KEPT]

    def _last(self, fault: str | None) -> list[Line]:
        self._ended = True
        if fault or self._rest:
            return [self._line(b"", newline=0, fault=fault)]
        return []


def _chunks(file: BinaryIO, offset: int) -> Iterator[bytes]:
    """The file's uncompressed bytes from `offset` on."""
    compressed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    if compressed:
        yield from _behind(_decompressed(file), offset)
    else:
        file.seek(offset)
        while chunk := file.read(_CHUNK):
            yield chunk


def _behind(chunks: Iterator[bytes], offset: int) -> Iterator[bytes]:
    for chunk in chunks:
        if offset < len(chunk):
            yield chunk[offset:]
        else:
            yield b""
        offset = max(0, offset - len(chunk))


def _decompressed(file: BinaryIO) -> Iterator[bytes]:
    """Every byte before the end or the damage, which is then raised.

    Raises:
        zlib.error: the file is damaged.
        EOFError: the file ends too early.
    """
    member: zlib._Decompress | None = None
    while chunk := file.read(_COMPRESSED_CHUNK):
        # Zeros may pad the file behind a member; else another member follows.
        while chunk := chunk if member else chunk.lstrip(b"\0"):
            if member is None:
                member = zlib.decompressobj(wbits=_GZIP_WINDOW)
            before = member.copy()
            try:
                yield member.decompress(chunk)
            except zlib.error:
                yield _salvaged(before, chunk)
                raise
            chunk = member.unused_data
            if member.eof:
                member = None
    if member:
        raise EOFError("it is cut short")


def _salvaged(member: "zlib._Decompress", chunk: bytes) -> bytes:
    data = bytearray()
    for byte in chunk:
        try:
            data += member.decompress(bytes([byte]))
        except zlib.error:
            break
    return bytes(data)
