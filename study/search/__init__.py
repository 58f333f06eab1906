"""What runs next: sampler, ASHA, the queue of trials, the replay of a lost search."""
