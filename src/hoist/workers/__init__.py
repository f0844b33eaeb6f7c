"""Event sources: pollers that feed the lambdas the exact events AWS would."""
