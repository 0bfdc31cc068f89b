"""What positions and searches cost, counted and timed: `make bench`. Of the desk; never in the zip."""
