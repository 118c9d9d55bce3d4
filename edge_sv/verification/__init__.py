"""Voice prints, and decisions about who speaks."""
