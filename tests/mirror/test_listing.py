"""The tables of a mirror: tables.txt has every column, so that a change of the catalog shows in a diff."""

from pathlib import Path

from hub.catalog import event_types, find_event_type
from hub.mirror.listing import listing
from hub.mirror.tables import table_of, tables

GOLDEN = Path(__file__).parent / "tables.txt"


def test_tables_have_the_columns_of_the_golden_file() -> None:
    owners = [name for name, table in tables().items() if not table.items]

    written = "\n".join(listing(owners))

    assert written == GOLDEN.read_text(encoding="utf-8")


def test_every_event_type_but_mail_and_sms_has_a_table() -> None:
    without = {name for name in event_types() if table_of(name) is None}

    assert without == {"email.created", "sms.created"}
    assert table_of("user.invented") is None


def test_no_column_is_a_secret() -> None:
    types = [find_event_type(name) for name in event_types()]
    hidden = {path for type_ in types if type_ for path in (*type_.secret, *type_.sensitive)}
    paths = {".".join(column.path) for table in tables().values() for column in table.columns}

    assert not hidden & paths


def test_names_fit_into_every_database() -> None:
    names = [column.name for table in tables().values() for column in table.columns]

    assert max(map(len, [*names, *(f"clerk_{name}" for name in tables())])) <= 63
