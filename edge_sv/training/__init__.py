"""Training speaker nets: corpora, augmentation, losses, teachers, and a fit that resumes with the same result."""
