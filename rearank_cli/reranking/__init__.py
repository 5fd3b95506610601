"""The paper: sliding windows over a ranking, a prompt per window, a permutation per answer."""
