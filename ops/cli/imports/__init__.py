"""`maraude import`: the accounts and the registry of the reference service, from its exports (docs/import.md).

`files` reads CSV and JSON lines, `forms` says what a line of each kind holds, `kinds` compares lines
with the registry and writes them, `loading` puts it together, `command` is what the desk types.
"""
