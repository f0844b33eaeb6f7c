"""Speed as ratios, both sides measured in one run on the running stack."""
