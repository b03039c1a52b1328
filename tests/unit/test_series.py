"""A daily series: from counts, from a CSV, and what is refused."""

import gzip
import io
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.forecast.scale import Arcsine, Linear, Logarithmic, scale_for
from pipeline.forecast.series import Series
from pipeline.forecast.series_csv import read_csv

START = date(2024, 1, 1)
DAYS = [START + timedelta(days=day) for day in range(20)]
NAME = ("all", "basic-emotion", "anger")


def counts(messages: list[float], marked: list[float]) -> Series:
    return Series(*NAME, START, np.array(messages), np.array(marked))


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "S.csv"
    path.write_text(text, encoding="utf-8")
    return path


def measured(values: list[float]) -> Series:
    days = DAYS[: len(values)]
    ones = [1.0] * len(values)
    return Series.of_days(NAME, days, ones, values, counted=False)


def test_the_value_of_a_day_is_the_share_of_marked_messages() -> None:
    assert counts([10, 4], [1, 4]).values.tolist() == [0.1, 1.0]


def test_a_day_without_messages_is_unknown_not_calm() -> None:
    assert np.isnan(counts([0, 10], [0, 1]).values[0])


def test_days_not_given_are_gaps() -> None:
    series = Series.of_days(NAME, [DAYS[0], DAYS[3]], [10, 10], [1, 2])
    assert np.isnan(series.values).tolist() == [False, True, True, False]
    assert series.day(3) == DAYS[3]


def test_days_may_stand_in_any_order() -> None:
    series = Series.of_days(NAME, [DAYS[1], DAYS[0]], [10, 10], [2, 1])
    assert series.values.tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    ("messages", "marked", "fault"),
    [
        ([10, 10], [1, 11], "2024-01-02 has more marked messages than messages"),
        ([10, -1], [1, 0], "2024-01-02 counts fewer than 0 messages"),
        ([10, np.inf], [1, 0], "2024-01-02 is infinite"),
        ([10, 1e16], [1, 0], "2024-01-02 is too large"),
        ([10, 10, 10], [1, 1], "3 days of messages and 2 of marked ones"),
    ],
)
def test_impossible_counts_are_refused(
    messages: list[float], marked: list[float], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        counts(messages, marked)


def test_a_day_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="2024-01-01 more than once"):
        Series.of_days(NAME, [START, START], [1, 1], [0, 0])


def test_no_day_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="holds no day"):
        Series.of_days(NAME, [], [], [])


def test_a_mistyped_year_is_refused() -> None:
    days = [START, date(9024, 1, 1)]
    with pytest.raises(InputError, match="mistyped year"):
        Series.of_days(NAME, days, [1, 1], [0, 0])


@pytest.mark.parametrize("messages", [[10.0], [0.0] * 30, [np.nan] * 30])
def test_a_series_too_short_to_forecast_says_how_many_days_it_needs(
    messages: list[float],
) -> None:
    series = counts(messages, [0.0] * len(messages))
    with pytest.raises(InputError, match="at least 14"):
        series.check_usable()


def test_fourteen_known_days_are_enough() -> None:
    counts([10.0] * 14, [1.0] * 14).check_usable()


def test_a_csv_holds_any_real_numbers_and_gaps(tmp_path: Path) -> None:
    text = "date,value\n2024-01-03,-2.5\n2024-01-01,150\n2024-01-04,\n"
    series = read_csv(csv(tmp_path, text))
    assert series.start == START
    assert not series.counted
    np.testing.assert_equal(series.values, [150, np.nan, -2.5, np.nan])


def test_a_csv_saved_by_a_spreadsheet_can_be_read(tmp_path: Path) -> None:
    text = "\ufeffvalue,note,date\r\n1.5,x,2024-01-01\r\n2, , 2024-01-02\r\n"
    assert read_csv(csv(tmp_path, text)).values.tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        "Date, Value\n2024-01-01, 4.5\n",
        " DATE ;value\n2024-01-01;4,5\n",
        "date\tvalue\r\n2024-01-01\t4,5\r\n",
        'date;value\n2024-01-01;"4.5"\n',
    ],
)
def test_a_table_of_other_countries_can_be_read(tmp_path: Path, text: str) -> None:
    assert read_csv(csv(tmp_path, text)).values.tolist() == [4.5]


def test_a_series_can_come_by_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(b"date,value\n2024-01-01,4.5\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    series = read_csv(Path("-"))
    assert series.values.tolist() == [4.5]
    assert series.title == "standard input"


@pytest.mark.parametrize("number", ["-1e3", "+.5", "5.", "1E-3", "1e15", " 7 "])
def test_a_number_may_be_written_in_any_plain_way(tmp_path: Path, number: str) -> None:
    found = read_csv(csv(tmp_path, f"date,value\n2024-01-01,{number}\n"))
    assert found.values.tolist() == [float(number)]


def test_an_unknown_day_may_be_written_as_nan(tmp_path: Path) -> None:
    text = "date,value\n2024-01-01,NaN\n2024-01-02,\n2024-01-03,nan\n"
    assert np.isnan(read_csv(csv(tmp_path, text)).values).all()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "lacks the columns date and value"),
        ("day,value\n2024-01-01,1\n", "lacks the columns date and value"),
        ("date,value\n", "holds no day"),
        ("date,value\n2024-01-01,1\n13/01/2024,2\n", "line 3: '13/01/2024' is no date"),
        ("date,value\n2024-01-01,many\n", "line 2: 'many' is no number"),
        ("date,value\n2024-01-01,1_000\n", "line 2: '1_000' is no number"),
        ('date,value\n2024-01-01,"1\n"\n', r"line 3: '1\\n' is no number"),
        ("date,value\n2024-01-01,\u0663\n", "line 2: '\u0663' is no number"),
        ("date,value\n2024-01-01,1e\n", "line 2: '1e' is no number"),
        ("date,value\n2024-01-01,inf\n", r"line 2: 'inf' is too large .*is 1e15\)"),
        ("date,value\n2024-01-01,-2e15\n", "line 2: '-2e15' is too large"),
        ("date,value\n2020-W10-1,1\n", "line 2: '2020-W10-1' is no date"),
        ("date,value\n20240101,1\n", "line 2: '20240101' is no date"),
        ('date,value\n"2024-01-01\n",1\n', r"line 3: '2024-01-01\\n' is no date"),
        ("date,value\n2024-02-30,1\n", "line 2: '2024-02-30' is no date"),
        ("date,value\n9999-12-31,1\n", "correct the mistyped year"),
        (
            "date,value\n2024-01-01,1\n2024-01-02,1\n2024-01-01,2\n",
            "line 4: 2024-01-01 was given in line 2 before: keep one of them",
        ),
        ("date,value\n2024-01-01\n2024-01-01,2\n", "line 3: 2024-01-01 was given"),
        ("Datum;Wert\n2024-01-01;1\n", r"\(line 1 names 'datum', 'wert'\): name"),
        ("date,Date,value\n2024-01-01,,1\n", "has two columns date: rename one"),
        (
            "date;value\n2024-01-01;1.234,5\n2024-01-02;4\n",
            "with a comma in line 2 and one with a point in line 2: write all",
        ),
        ('date,value\n2024-01-01,"1,500"\n', "line 2: '1,500' is no number"),
        ("date,value\n2024-01-01,5,5\n", "line 2 has more columns than line 1"),
        (
            f'date,value\n2024-01-01,"{"x" * 300_000}"\n',
            "is no CSV after line 2 .*a quote",
        ),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(InputError, match=fault) as refusal:
        read_csv(csv(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_a_missing_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_csv(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (gzip.compress(b"date,value\n"), "is compressed: unpack it first"),
        ("date,value\n".encode("utf-16"), "UTF-16 text: save it as UTF-8"),
        ("date,value\n".encode("utf-16-le"), "UTF-16 text: save it as UTF-8"),
    ],
)
def test_a_file_in_another_form_is_told_which(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    path = tmp_path / "S.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=fault):
        read_csv(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "S.csv"
    path.write_bytes(b"date,value\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"is no text .*: save it as UTF-8"):
        read_csv(path)


def test_one_known_day_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 1 known day: a forecast needs"):
        read_csv(csv(tmp_path, "date,value\n2024-01-01,1\n")).check_usable()


def test_counts_are_modelled_on_the_arcsine_of_their_root() -> None:
    scale = scale_for(counts([10.0] * 14, [1.0] * 14))
    assert isinstance(scale, Arcsine)
    assert scale.back(np.array([-1.0, 9.0])).tolist() == [0.0, 1.0]


def test_positive_measurements_are_modelled_like_logarithms() -> None:
    scale = scale_for(measured([5.0] * 14 + [-5.0]))
    assert isinstance(scale, Logarithmic)
    doubled = scale.forward(np.array([50.0, 100.0, 200.0]))
    np.testing.assert_allclose(np.diff(doubled), np.log(2), rtol=1e-3)


def test_measurements_of_either_sign_are_modelled_as_they_are() -> None:
    assert isinstance(scale_for(measured([1.0, -1.0] * 7)), Linear)
    assert isinstance(scale_for(measured([0.0] * 14)), Linear)


def test_every_scale_leads_back() -> None:
    values = np.array([0.0, 0.01, 0.5, 1.0])
    for scale in (Arcsine(), Logarithmic(0.1), Linear(0.1)):
        np.testing.assert_allclose(scale.back(scale.forward(values)), values)
