"""What is watched over time: the sampler that asks the cluster and the history it leaves behind."""
