"""What positions and searches cost, counted and timed: `make bench`. Of the desk; never in the zip."""

import os

# Before anything of ours is imported: the stage names the tables. Nothing here reaches a network.
for _name, _value in {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "eu-west-3",
    "MARAUDE_STAGE": "bench",
}.items():
    os.environ.setdefault(_name, _value)
