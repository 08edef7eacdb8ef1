"""What a team's service may want beyond the built-in: open networks, security headers, Markdown, coroutines."""
