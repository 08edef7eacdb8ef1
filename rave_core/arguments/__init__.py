"""From what a caller gives to a call: text and JSON parsed, arguments bound, converted and keyed."""
