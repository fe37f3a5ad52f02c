"""Small models on which the statements of the dry questions can be computed exactly or measured in seconds."""
