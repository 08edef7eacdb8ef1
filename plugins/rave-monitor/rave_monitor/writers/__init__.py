"""The writers that come with the monitor."""
