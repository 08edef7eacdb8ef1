"""What RAVE counts, warns of and reports."""
