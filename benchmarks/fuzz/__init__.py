"""Throw malformed corpora, space files, records, manifests, models, documents and command lines at the tool."""
