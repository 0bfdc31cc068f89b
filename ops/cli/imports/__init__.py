"""`maraude import`: accounts and taxis from exports of the reference service (docs/import.md).

`files` reads CSV and JSON lines, `forms` says what a line of each kind holds, `kinds` compares lines
with the registry and writes them, `loading` puts it together, `command` is what the desk types.
"""
