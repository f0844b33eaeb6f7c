"""For operators, over REST: a plain process with a port of its own, not for the public."""
