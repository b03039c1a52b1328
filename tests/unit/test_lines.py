import gzip
import zlib
from pathlib import Path

import pytest

from connectors.lines import LONGEST_LINE, Line, LineReader, format_fault

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


def lines(path: Path, offset: int = 0, number: int = 0) -> list[Line]:
    reader = LineReader(path, offset, number)
    try:
        found = []
        while (some := reader.read()) is not None:
            found += some
        return found
    finally:
        reader.close()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture(params=["plain", "gzip"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    data = TEXT if request.param == "plain" else gzip.compress(TEXT, 1)
    return written(tmp_path / "archive", data)


def test_every_line_is_read(archive: Path) -> None:
    found = lines(archive)
    assert [line.data for line in found] == TEXT.splitlines()
    assert [line.number for line in found] == list(range(1, 50_001))


def test_reading_goes_on_behind_any_line(archive: Path) -> None:
    found = lines(archive)
    for line in (found[0], found[777], found[-2]):
        assert lines(archive, line.end, line.number) == found[line.number :]
        assert found[line.number].start == line.end


def test_behind_the_end_there_is_nothing(archive: Path) -> None:
    assert lines(archive, len(TEXT), 50_000) == []
    assert lines(archive, len(TEXT) + 99, 50_000) == []


def test_the_bytes_read_are_those_on_disk(archive: Path) -> None:
    reader = LineReader(archive)
    while reader.read() is not None:
        pass
    assert reader.consumed == archive.stat().st_size
    assert reader.read() is None
    reader.close()


def test_a_last_line_needs_no_end(tmp_path: Path) -> None:
    found = lines(written(tmp_path / "a", b"one\r\n\ntwo"))
    assert [(line.data, line.start, line.end) for line in found] == [
        (b"one\r", 0, 5),
        (b"", 5, 6),
        (b"two", 6, 9),
    ]


def test_of_an_overlong_line_the_beginning_is_kept(tmp_path: Path) -> None:
    long = b"x" * (LONGEST_LINE * 3)
    found = lines(written(tmp_path / "a", b"one\n" + long + b"\ntwo"))
    assert [line.data for line in found][::2] == [b"one", b"two"]
    assert 10_000 < len(found[1].data) < 100_000
    assert found[1].fault
    assert "25,165,824 bytes" in found[1].fault
    assert found[2].start == len(long) + 5


def test_an_overlong_line_is_skipped_in_moments(tmp_path: Path) -> None:
    reader = LineReader(written(tmp_path / "a", b"x" * (LONGEST_LINE * 2)))
    assert reader.read() == []
    reader.close()


def test_a_gzip_file_may_have_several_parts_and_padding(tmp_path: Path) -> None:
    data = gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 20_000
    found = lines(written(tmp_path / "a", data))
    assert [line.data for line in found] == [b"one", b"two"]


@pytest.mark.parametrize("cut", [5, 1_000, -9, -1])
def test_what_precedes_a_cut_is_read_and_the_cut_is_told(
    tmp_path: Path, cut: int
) -> None:
    whole = gzip.compress(TEXT)
    *found, last = lines(written(tmp_path / "a", whole[:cut]))
    assert last.fault == "the gzip file is damaged here (it is cut short)"
    before = zlib.decompressobj(wbits=31).decompress(whole[:cut])
    assert [line.data for line in [*found, last]] == before.split(b"\n")


@pytest.mark.parametrize("place", [100, 20_000, -6])
def test_what_precedes_damage_is_read_and_the_damage_is_told(
    tmp_path: Path, place: int
) -> None:
    data = bytearray(gzip.compress(TEXT))
    data[place] ^= 0xFF
    *found, last = lines(written(tmp_path / "a", bytes(data)))
    assert last.fault
    assert last.fault.startswith("the gzip file is damaged here (Error -3")
    assert [line.data for line in found[:50]] == TEXT.splitlines()[: len(found)][:50]


def test_rubbish_behind_a_gzip_file_is_told(tmp_path: Path) -> None:
    found = lines(written(tmp_path / "a", gzip.compress(b"one\n") + b"rubbish"))
    assert [line.data for line in found] == [b"one", b""]
    assert found[1].fault


def test_a_bomb_takes_little_memory(tmp_path: Path) -> None:
    bomb = written(tmp_path / "a", gzip.compress(b"\0" * 200_000_000, 1))
    (line,) = lines(bomb)
    assert len(line.data) < 100_000


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04...", "the file is zip: make it JSON lines, plain or gzip"),
        (b"BZh91", "the file is bzip2: make it JSON lines, plain or gzip"),
        (b'{"id": 1}', None),
    ],
)
def test_other_formats_are_known_by_their_first_bytes(
    tmp_path: Path, data: bytes, fault: str | None
) -> None:
    assert format_fault(written(tmp_path / "a", data)) == fault
