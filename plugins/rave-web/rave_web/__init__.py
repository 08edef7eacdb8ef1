"""Extras for a team's service: open networks, security headers, Markdown, coroutines."""
