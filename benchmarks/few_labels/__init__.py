"""The few-label table on ACDC's standard split: training loops, starts and numbers of labels."""
