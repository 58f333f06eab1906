"""What runs next: the list of candidates, ASHA, the second round and the choice, the queue of trials."""
