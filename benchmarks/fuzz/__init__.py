"""Fuzz the tool with malformed corpora, space files, records, manifests, models, documents and command lines."""
