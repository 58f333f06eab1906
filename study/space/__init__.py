"""From a YAML file to a checked search space: keys, recipe, variants, protocol."""
