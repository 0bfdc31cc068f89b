"""What stands in the journal."""

from chalicelib.taxis.activity.store import JournalRow


def entries() -> list[JournalRow]:
    """Each entry once, oldest first."""
    found = (row for row in JournalRow.scan() if row.series == row.action)
    return sorted(found, key=lambda row: row.entry)
