"""Operations as documents: from a request to a call, JSON Schema, OpenAPI."""
