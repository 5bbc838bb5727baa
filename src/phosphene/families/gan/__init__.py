"""Generative adversarial networks: one file a family, one shape of generator, one learner."""
