"""The registry's HTTP entry point: makes the Chalice application and decides nothing."""

from chalicelib import root
from chalicelib.web import Registry

app = Registry("maraude")
app.serve(root.routes)
