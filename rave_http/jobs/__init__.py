"""Jobs under way, and the tickets that promise their results."""
