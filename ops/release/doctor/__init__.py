"""`maraude doctor`: what is wrong with a registry, and what to do about each."""
