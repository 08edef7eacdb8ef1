"""The readers that come with the monitor."""
