"""How the rows of a query are printed."""

import io

import pyarrow as pa
import pytest

from pipeline.errors import InputError
from pipeline.jobs.sql import Shape, print_rows

ROWS = pa.table({"label": ["joy", None], "prevalence": [0.123456, 1.0]})


def printed(shape: Shape, rows: pa.Table = ROWS) -> str:
    stream = io.StringIO()
    print_rows(rows, shape, stream)
    return stream.getvalue()


def test_a_table_is_aligned_for_people() -> None:
    assert printed("table").splitlines() == [
        "label  prevalence",
        "-----  ----------",
        "joy    0.1235",
        "       1",
    ]


def test_json_lines_keep_types() -> None:
    assert printed("json").splitlines() == [
        '{"label":"joy","prevalence":0.123456}',
        '{"label":null,"prevalence":1.0}',
    ]


def test_csv_has_a_header() -> None:
    assert printed("csv").splitlines() == ["label,prevalence", "joy,0.123456", ",1.0"]


def test_no_rows_still_name_the_columns() -> None:
    empty = ROWS.slice(0, 0)
    assert printed("csv", empty).strip() == "label,prevalence"
    assert printed("table", empty).splitlines()[0] == "label  prevalence"


def test_a_long_value_is_cut_for_people_only() -> None:
    rows = pa.table({"definition": ["x" * 100]})
    assert printed("table", rows).splitlines()[2] == "x" * 59 + "…"
    assert "x" * 100 in printed("csv", rows)


def test_a_value_that_python_cannot_hold_is_said() -> None:
    rows = pa.table({"day": pa.array([2**31 - 1], pa.int32()).cast(pa.date32())})
    for shape in ("table", "json", "csv"):
        with pytest.raises(InputError, match="cast it to VARCHAR"):
            printed(shape, rows)
