"""How long until the encoder is good: seconds of training until validation reaches the best number that a public solution claims."""
