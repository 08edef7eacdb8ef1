"""A value as bytes of one media type, and conditional requests for them."""
