"""The repaired MiniStack as a process: `python -m ops.local.emulator`, set up as `python -m ministack`."""

from ministack import app

from ops.local.emulator import kinesis, queries

if __name__ == "__main__":
    kinesis.repair()
    queries.repair()
    app.main()
