"""The records of a study: columns, store, manifest, repair, lock."""
