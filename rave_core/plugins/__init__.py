"""Discovery: stevedore finds plugins, pluggy calls them."""
