"""Show what analysis found: tables in the terminal and files beside the records. Computes nothing."""
