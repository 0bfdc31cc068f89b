"""`maraude doctor`: health check of a registry, with advice on each finding."""
