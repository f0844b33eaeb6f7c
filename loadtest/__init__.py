"""Load on a running stack, and the books that tell whether anything was lost."""
