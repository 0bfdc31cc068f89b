"""Functions behind the streams of positions and searches."""

from chalicelib.foundation import process

process.start()
